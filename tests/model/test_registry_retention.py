"""Retention: condemned first, deleted a week later, and never what somebody still needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from model.registry import aliases, marks, runs, versions
from model.registry.artifacts import ArtifactStore
from model.registry.base import utc_now
from model.registry.errors import ArtifactError
from model.registry.lineage import lineage
from model.registry.loading import read_version
from model.registry.predictions import mark_pushed, store
from model.registry.retention import Collected, collect
from model.registry.rows import row
from model.registry.session import Database
from model.registry.tables import Project, Task
from model.registry.tables_admin import VersionMark
from model.registry.tables_versions import AdapterVersion
from model.spans import Prediction
from registry_runs import annotate, asked, many_versions, publication, taken, trained

MakeProject = Callable[..., Project]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def project(database: Database, make_project: MakeProject) -> Project:
    """Versions 0 to 14, 14 the candidate; without further reasons 1 to 4 would be condemned."""
    made = make_project()
    many_versions(database, made, 14)
    return made


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def state(database: Database, project: Project) -> dict[int, str]:
    """Number -> state, for the versions whose state retention made."""
    with database.read() as session:
        found = versions.versions(session, project.id)
        return {view.number: view.state for view in found if view.state in ("condemned", "deleted")}


def serve(database: Database, project: Project, number: int) -> None:
    with database.begin() as session:
        aliases.promote(session, project.id, number, actor="Ada", reason="x")


def test_old_versions_are_condemned_and_the_audit_says_so(
    database: Database, project: Project, artifacts: ArtifactStore
) -> None:
    assert collect(database, artifacts, NOW, WEEK) == Collected(4, 0)
    assert state(database, project) == dict.fromkeys((1, 2, 3, 4), "condemned")
    with database.read() as session:
        newest = aliases.history(session, project.id)[0]
    assert (newest.alias, newest.outcome, newest.actor) == ("condemned", "condemned", "retention")
    assert newest.reason == "never served, and 13 versions of cllmfs are newer"
    assert collect(database, artifacts, NOW, WEEK) == Collected(0, 0)


def test_what_somebody_needs_is_kept(
    database: Database, project: Project, artifacts: ArtifactStore
) -> None:
    """1 was served once, 2 is pinned, 3 was served before 4, which is served."""
    for number in (1, 3, 4):
        serve(database, project, number)
    with database.begin() as session:
        marks.pin(session, project.id, 2, True, actor="Ada", reason="for the paper")
    assert collect(database, artifacts, NOW, WEEK) == Collected(1, 0)
    assert state(database, project) == {1: "condemned"}
    serve(database, project, 14)
    assert collect(database, artifacts, NOW, WEEK) == Collected(1, 0)
    assert state(database, project) == dict.fromkeys((1, 3), "condemned")


def test_what_label_studio_still_shows_is_kept(
    database: Database, project: Project, artifacts: ArtifactStore
) -> None:
    annotate(database, project, 1, 2)
    with database.begin() as session:
        for number, task in ((1, 1), (2, 2), (3, 1)):
            store(session, row(session, project.id, number).id, [(task, Prediction((), 0.5))])
        for number, task in ((1, 1), (2, 2)):
            mark_pushed(session, row(session, project.id, number).id, [task])
        session.execute(update(Task).where(Task.id == 2).values(gone_at=utc_now()))
    collect(database, artifacts, NOW, WEEK)
    # 2's task is gone from Label Studio, and 3 was never pushed there
    assert state(database, project) == dict.fromkeys((2, 3, 4), "condemned")


def put(artifacts: ArtifactStore, weights: bytes) -> str:
    return artifacts.put(
        {
            "adapter_model.safetensors": weights,
            "adapter_config.json": b"{}",
            "nerloop.json": b"{}",
        }
    )


def with_files(database: Database, project: Project, digests: dict[int, str]) -> dict[int, int]:
    """Condemned versions 101, ... with these files; returns their rows by number."""
    made = {}
    with database.begin() as session:
        for number, digest in digests.items():
            version = AdapterVersion(
                project_id=project.id,
                number=number,
                method="cllmfs",
                base_name="tiny",
                base_digest="b" * 64,
                artifact_digest=digest,
                config={},
                report={},
            )
            session.add(version)
            session.flush()
            mark = VersionMark(version_id=version.id, condemned_at=NOW, condemned_reason="old")
            session.add(mark)
            made[number] = version.id
    return made


def test_a_condemned_version_is_not_loaded_and_its_files_go_after_a_week(
    database: Database, make_project: MakeProject, artifacts: ArtifactStore
) -> None:
    project = make_project()
    trained(database, project, 1)
    digest = put(artifacts, b"one")
    version_id = with_files(database, project, {101: digest})[101]
    with pytest.raises(ArtifactError, match="101 is condemned since 2026-03-01"):
        read_version(database, artifacts, version_id)
    almost = NOW + WEEK - timedelta(seconds=1)
    assert collect(database, artifacts, almost, WEEK) == Collected(0, 0)
    assert artifacts.exists(digest)
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 1)
    assert not artifacts.exists(digest)
    assert state(database, project) == {101: "deleted"}
    with pytest.raises(ArtifactError, match="files of version 101 were deleted on 2026-03-08"):
        read_version(database, artifacts, version_id)
    assert collect(database, artifacts, NOW + 2 * WEEK, WEEK) == Collected(0, 0)
    with database.read() as session:  # what it was made from stays known
        assert lineage(session, project.id, 101).artifact_digest == digest
        assert len(lineage(session, project.id, 1).items) == 6


def test_files_shared_with_another_version_stay_until_the_last_one_goes(
    database: Database, make_project: MakeProject, artifacts: ArtifactStore
) -> None:
    one, two = make_project(1), make_project(2)
    digest = put(artifacts, b"shared")
    with_files(database, one, {101: digest})
    other = with_files(database, two, {102: digest})[102]
    with database.begin() as session:
        marks.pin(session, two.id, 102, True, actor="Ada", reason="x")
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 1)
    assert read_version(database, artifacts, other)["adapter_model.safetensors"] == b"shared"
    with database.begin() as session:
        mark = session.get_one(VersionMark, other)
        mark.condemned_at, mark.pinned = NOW, False
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 1)
    assert not artifacts.exists(digest)


@pytest.mark.parametrize("whose", [1, 2])
def test_nothing_is_deleted_while_a_run_of_any_project_lives(
    database: Database, make_project: MakeProject, artifacts: ArtifactStore, whose: int
) -> None:
    """A digest knows no project: the run may have found the very files and be about to commit."""
    made = {number: make_project(number) for number in (1, 2)}
    digest = put(artifacts, b"one")
    with_files(database, made[1], {101: digest})
    annotate(database, made[whose], 1)
    claim = taken(database, asked(database, made[whose]))
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 0)
    with database.begin() as session:
        runs.fail(session, claim.run_id, claim.fence, "data", "x")
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 1)


def test_files_that_cannot_be_deleted_hold_up_no_others(
    database: Database,
    make_project: MakeProject,
    artifacts: ArtifactStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = make_project()
    stuck, free = put(artifacts, b"stuck"), put(artifacts, b"free")
    with_files(database, project, {101: stuck, 102: free})
    rename = Path.rename

    def refusing(path: Path, target: Path) -> Path:
        if path.name == stuck:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 1)
    assert state(database, project) == {101: "condemned", 102: "deleted"}
    assert (artifacts.exists(stuck), artifacts.exists(free)) == (True, False)
    assert "Permission denied" in caplog.text
    monkeypatch.undo()
    assert collect(database, artifacts, NOW + WEEK, WEEK) == Collected(0, 1)


def test_a_removal_that_is_not_committed_is_undone(artifacts: ArtifactStore) -> None:
    digest = put(artifacts, b"one")

    def begin_and_fail() -> None:
        with artifacts.removing(digest):
            assert not artifacts.exists(digest)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        begin_and_fail()
    assert artifacts.read(digest)["adapter_model.safetensors"] == b"one"
    for _ in range(2):  # the second time, as after a crash in between, there is nothing left
        with artifacts.removing(digest):
            pass
    assert not artifacts.exists(digest)


def test_files_made_anew_are_a_new_version_beside_the_condemned_one(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 1)
    made: list[int | None] = []
    for _ in range(2):
        claim = taken(database, asked(database, project))
        with database.begin() as session:
            first = row(session, project.id, 1)
            if made:
                mark = VersionMark(version_id=first.id, condemned_at=NOW, condemned_reason="old")
                session.add(mark)
                session.flush()
            published = versions.publish(session, claim, publication("c1"))
            made.append(published.number if published else None)
    assert made == [None, 2]
