"""The sweeper on an injected clock: silence is revoked, signs of life are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from model.loop.trigger import TriggerSettings
from model.registry import predictions, runs, versions
from model.registry.artifacts import ArtifactStore, writer
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.session import Database
from model.registry.tables import Project
from registry_runs import many_versions
from worker.clock import Clock
from worker.doorbell import Doorbell
from worker.sweep import Sweeper

MakeProject = Callable[..., Project]


class Bell(Doorbell):
    """A doorbell that writes down its rings, or is out of order."""

    def __init__(self) -> None:
        self.rings: list[tuple[str, int, int]] = []
        self.works = True

    def train(self, run_id: int, attempt: int, method: str) -> bool:
        return self._note("train", run_id, attempt)

    def predict(self, version_id: int, attempt: int, method: str) -> bool:
        return self._note("predict", version_id, attempt)

    def _note(self, kind: str, row: int, attempt: int) -> bool:
        if self.works:
            self.rings.append((kind, row, attempt))
        return self.works


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def sweeper(database: Database, bell: Bell, time: Time, tmp_path: Path) -> Sweeper:
    return Sweeper(database, bell, ArtifactStore(tmp_path / "artifacts"), Clock(), time)


@pytest.fixture
def run_id(database: Database, make_project: MakeProject) -> int:
    project = make_project()
    tasks = [
        SeenTask(
            n, "t", f"Ada {n}", (SeenAnnotation(n, "t", f"c{n}", "gold", False, ((0, 3, "PER"),)),)
        )
        for n in range(1, 7)
    ]
    with database.begin() as session:
        outcome = apply_pass(session, project.id, PassInput(0, 0, None, tasks), TriggerSettings())
    return outcome.runs[0][0]


def take(database: Database, run_id: int) -> runs.Claim:
    with database.begin() as session:
        claim = runs.claim(session, run_id)
    assert claim is not None
    return claim


def test_a_waiting_run_is_rung_once_a_minute(
    sweeper: Sweeper, bell: Bell, time: Time, run_id: int
) -> None:
    for _ in range(5):
        sweeper.sweep()
        time.seconds += 14
    assert bell.rings == [("train", run_id, 0), ("train", run_id, 0)][:1]
    time.seconds += 15
    sweeper.sweep()
    assert bell.rings.count(("train", run_id, 0)) == 2


def test_a_dead_doorbell_is_tried_again_at_once(
    sweeper: Sweeper, bell: Bell, time: Time, run_id: int
) -> None:
    bell.works = False
    sweeper.sweep()
    assert bell.rings == []
    bell.works = True
    time.seconds += 15
    sweeper.sweep()
    assert bell.rings == [("train", run_id, 0)]


def test_a_silent_holder_is_revoked_after_a_minute(
    sweeper: Sweeper, bell: Bell, time: Time, run_id: int, database: Database
) -> None:
    claim = take(database, run_id)
    for _ in range(4):
        sweeper.sweep()
        time.seconds += 15
    with database.read() as session:
        assert len(runs.holders(session)) == 1
    assert bell.rings == []
    sweeper.sweep()
    with database.read() as session:
        assert runs.holders(session) == []
    assert bell.rings == [("train", run_id, 1)]
    fresh = take(database, run_id)
    assert fresh.fence > claim.fence


def test_a_beating_holder_keeps_its_run_until_it_stops_stepping(
    sweeper: Sweeper, time: Time, run_id: int, database: Database
) -> None:
    claim = take(database, run_id)
    for n in range(40):
        sweeper.sweep()
        time.seconds += 15
        with database.begin() as session:
            assert runs.beat(session, run_id, claim.fence, step=n // 39, steps=9, loss=1.0)
    with database.read() as session:
        assert len(runs.holders(session)) == 1
    for _ in range(41):
        sweeper.sweep()
        time.seconds += 15
        with database.begin() as session:
            runs.beat(session, run_id, claim.fence, step=1, steps=9, loss=1.0)
    with database.read() as session:
        assert runs.holders(session) == []


def test_two_sweepers_revoke_once(
    sweeper: Sweeper, bell: Bell, time: Time, run_id: int, database: Database, tmp_path: Path
) -> None:
    other = Sweeper(database, Bell(), ArtifactStore(tmp_path / "artifacts"), Clock(), time)
    claim = take(database, run_id)
    for _ in range(6):
        sweeper.sweep()
        other.sweep()
        time.seconds += 15
    assert take(database, run_id).fence == claim.fence + 2  # one revocation, one claim


def test_versions_are_collected_once_an_hour(
    sweeper: Sweeper, time: Time, database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    many_versions(database, project, 12)

    def condemned() -> list[int]:
        with database.read() as session:
            found = versions.versions(session, project.id)
        return [view.number for view in found if view.state == "condemned"]

    sweeper.sweep()
    assert condemned() == []
    time.seconds += 3600
    sweeper.sweep()
    assert condemned() == [1, 2]


def test_a_folder_aside_stays_while_its_run_lives(
    sweeper: Sweeper, database: Database, run_id: int, tmp_path: Path
) -> None:
    claim = take(database, run_id)
    root = tmp_path / "artifacts"
    writers = [writer(run_id, claim.fence), writer(run_id, claim.fence - 1), "import"]
    folders = [root / f"partial-{name}-{'0' * 32}" for name in writers]
    for folder in folders:
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))
    sweeper.sweep()
    assert [folder.exists() for folder in folders] == [True, False, False]
    with database.begin() as session:
        runs.fail(session, run_id, claim.fence, "data", "x")
    sweeper.sweep()
    assert not folders[0].exists()


def test_windows_are_rung_too(
    sweeper: Sweeper, bell: Bell, database: Database, make_project: MakeProject
) -> None:
    make_project()
    with database.begin() as session:
        predictions.request(session, 1)
    sweeper.sweep()
    assert bell.rings == [("predict", 1, 0)]
