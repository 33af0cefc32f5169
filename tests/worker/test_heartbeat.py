"""The heartbeat writes beats and the run's log, and notices a lost run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from model.method import Progress
from model.registry import run_log, runs
from model.registry.errors import FenceLostError, RegistryBusyError
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import TrainingRun
from worker.clock import Clock
from worker.heartbeat import Heartbeat

SLOW = replace(Clock(), beat=1000.0)
FAST = replace(Clock(), beat=0.01, silent=1000.0)


@pytest.fixture
def running(database: Database, make_project: Callable[..., Project]) -> int:
    project = make_project()
    with database.begin() as session:
        requested = runs.request(session, project.id, "cllmfs", "asked for", None)
        assert requested is not None
        row = session.get_one(TrainingRun, requested)
        row.state, row.fence, row.attempt = "running", 1, 2
    return requested


def story(database: Database, run_id: int) -> list[tuple[int | None, float | None, str | None]]:
    with database.read() as session:
        lines = run_log.lines(session, run_id)
        assert {line.attempt for line in lines} <= {2}
        return [(line.step, line.loss, line.words) for line in lines]


def test_a_quick_fit_leaves_its_curve_and_its_words(database: Database, running: int) -> None:
    with Heartbeat(database, running, 1, SLOW, attempt=2) as heart:
        for step in range(1, 121):
            heart.on_step(Progress(step, 120, 1 / step))
        heart.say("fitted")
        for _ in range(3):
            heart.one_more()
        heart.say("scored")
    told = story(database, running)
    assert told[:2] == [(2, 0.5, None), (4, 0.25, None)]
    assert [words for _, _, words in told if words] == ["fitted", "scored"]
    assert [step for step, _, _ in told if step] == list(range(2, 121, 2))
    with database.read() as session:
        row = session.get_one(TrainingRun, running)
        assert (row.step, row.steps, row.beat) == (123, 123, 2)


def test_a_slow_fit_is_told_of_at_each_beat_once(database: Database, running: int) -> None:
    heart = Heartbeat(database, running, 1, SLOW, attempt=2)
    heart.on_step(Progress(7, 5000, 0.7))
    for _ in range(3):
        assert heart._is_ours()
    heart.on_step(Progress(8, 5000, 0.6))
    assert heart._is_ours()
    assert story(database, running) == [(7, 0.7, None), (8, 0.6, None)]


def test_a_lost_run_stops_the_work_and_writes_no_line(database: Database, running: int) -> None:
    with Heartbeat(database, running, 9, FAST, attempt=2) as heart:
        heart.on_step(Progress(1, 2, 0.5))
        assert heart._lost.wait(20)
        with pytest.raises(FenceLostError):
            heart.on_step(Progress(2, 2, 0.4))
        with pytest.raises(FenceLostError):
            heart.one_more()
        heart.say("fitted")
    assert story(database, running) == []


def test_words_that_cannot_be_kept_do_not_end_the_work(
    database: Database, running: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: object, **more: object) -> bool:
        raise RegistryBusyError

    heart = Heartbeat(database, running, 1, SLOW, attempt=2)
    heart.on_step(Progress(2, 2, 0.5))
    with monkeypatch.context() as patch:
        patch.setattr(runs, "beat", busy)
        heart.say("fitted")
        assert heart._is_ours()
    heart.say("again")
    assert story(database, running) == [(2, 0.5, None), (None, None, "again")]
