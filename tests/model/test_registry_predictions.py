"""Windows of predictions: attempts that come to nothing end, progress starts the count anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from model.loop.trigger import TriggerSettings
from model.registry import predictions
from model.registry.base import utc_now
from model.registry.heads import PassInput, SeenTask, apply_pass
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import PredictionRun
from model.spans import Prediction, Span

MakeProject = Callable[..., Project]
VERSION = 1


@pytest.fixture
def project(database: Database, make_project: MakeProject) -> Project:
    made = make_project()
    tasks = [SeenTask(n, "t", f"Ada {n}") for n in range(1, 11)]
    with database.begin() as session:
        apply_pass(session, made.id, PassInput(0, 0, None, tasks), TriggerSettings())
    return made


def begin(database: Database) -> bool:
    with database.begin() as session:
        return predictions.begin(session, VERSION)


def state(database: Database) -> str:
    with database.read() as session:
        return session.get_one(PredictionRun, VERSION).state


def test_three_attempts_in_a_row_end_a_window(database: Database, project: Project) -> None:
    for _ in range(3):
        assert state(database) == "requested"
        assert begin(database)
        with database.begin() as session:
            predictions.stumbled(session, VERSION, "the disk is gone")
    assert state(database) == "failed"
    assert not begin(database)
    with database.begin() as session:
        assert predictions.trouble(session, VERSION) == "the disk is gone"
        predictions.request_if_needed(session, project.id)
    assert state(database) == "failed"  # not at once
    with database.begin() as session:
        run = session.get_one(PredictionRun, VERSION)
        run.requested_at = utc_now() - timedelta(minutes=11)
    with database.begin() as session:
        predictions.request_if_needed(session, project.id)
    assert state(database) == "requested"
    assert begin(database)


def test_a_worker_that_vanishes_three_times_ends_a_window(
    database: Database, project: Project
) -> None:
    assert [begin(database) for _ in range(4)] == [True, True, True, False]
    assert state(database) == "failed"


def test_progress_starts_the_count_anew(database: Database, project: Project) -> None:
    for ref in range(1, 9):
        assert begin(database)
        with database.begin() as session:
            predictions.store(session, VERSION, [(ref, Prediction((), 0.5))])
    assert state(database) == "requested"


def test_the_first_answer_stays(database: Database, project: Project) -> None:
    first, second = Prediction((Span(0, 3, "PER", 0.5),), 0.5), Prediction((), 0.9)
    with database.begin() as session:
        predictions.store(session, VERSION, [(1, first)])
        predictions.store(session, VERSION, [(1, second), (2, second)])
    with database.read() as session:
        assert predictions.of_task(session, VERSION, 1) == first
        assert predictions.of_task(session, VERSION, 2) == second


def test_rows_deleted_there_are_pushed_again(database: Database, project: Project) -> None:
    with database.begin() as session:
        predictions.store(session, VERSION, [(n, Prediction((), n / 10)) for n in (1, 2, 3)])
        predictions.mark_pushed(session, VERSION, [1, 2, 3])
        assert predictions.unpushed(session, VERSION) == []
        assert predictions.forget_pushed(session, VERSION) == 3
        assert [row.task_ref for row in predictions.unpushed(session, VERSION)] == [1, 2, 3]
        assert predictions.forget_pushed(session, VERSION) == 0
