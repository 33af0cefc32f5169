"""A run's log: lines in order, of its project alone, and the time it still takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model.loop.arms import ACTIVE
from model.registry import run_log, runs, versions
from model.registry.errors import UnknownRunError
from model.registry.runs import Holder
from model.registry.session import Database
from model.registry.tables import (
    AnnotationHead,
    AnnotationRevision,
    Project,
    StoredText,
    Task,
)
from model.registry.tables_admin import RunLine
from model.registry.tables_versions import TrainingRun
from model.registry.versions import Publication

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = {"attempt": 1, "state": "running", "step": 30, "steps": 100}


def line(step: int | None, seconds: float, attempt: int = 1) -> RunLine:
    return RunLine(attempt=attempt, step=step, at=BEGAN + timedelta(seconds=seconds))


def run(**more: object) -> TrainingRun:
    return TrainingRun(**(RUN | {"started_at": BEGAN} | more))


def left(found: TrainingRun, *log: RunLine, after: float = 90.0) -> float | None:
    return run_log.seconds_left(found, log, BEGAN + timedelta(seconds=after))


def test_the_rest_takes_as_long_a_step_as_the_steps_so_far() -> None:
    # 20 steps in the 40 s since step 10 was seen: 70 more take 140 s, whatever the loading took
    assert left(run(), line(None, 1), line(10, 50), line(20, 70)) == pytest.approx(140.0)


def test_without_a_line_the_pace_is_that_since_the_start() -> None:
    assert left(run()) == pytest.approx(90 / 30 * 70)
    assert left(run(), line(30, 90)) == pytest.approx(90 / 30 * 70)


def test_an_earlier_attempt_tells_nothing_of_the_pace() -> None:
    assert left(run(attempt=2), line(10, -900), line(29, -500)) == pytest.approx(90 / 30 * 70)


def test_nothing_is_left_at_the_last_step_and_nothing_known_before_the_first() -> None:
    assert left(run(step=100)) == 0.0
    assert left(run(step=0)) is None
    assert left(run(step=0, steps=0)) is None
    assert left(run(state="succeeded")) is None
    assert left(run(), after=-5.0) == 0.0


@pytest.fixture
def waiting(database: Database, make_project: Callable[..., Project]) -> int:
    """Id of a requested run of project 1, with one annotated text to learn from."""
    project = make_project()
    with database.begin() as session:
        session.add(StoredText(digest="d" * 64, text="Anna"))
        session.flush()
        task = Task(
            project_id=project.id, task_id=1, ls_created_at="t", arm=ACTIVE, text_digest="d" * 64
        )
        session.add(task)
        session.flush()
        revision = AnnotationRevision(
            project_id=project.id,
            annotation_id=1,
            task_ref=task.id,
            updated_at="u",
            content_digest="c",
            kind="gold",
            spans=[[0, 4, "PER"]],
        )
        session.add(revision)
        session.flush()
        session.add(
            AnnotationHead(
                project_id=project.id, annotation_id=1, task_ref=task.id, revision_id=revision.id
            )
        )
        requested = runs.request(session, project.id, "cllmfs", "asked for", None)
    assert requested is not None
    return requested


def test_the_row_tells_its_story(database: Database, waiting: int) -> None:
    with database.begin() as session:
        claim = runs.claim(session, waiting)
        assert claim is not None
        run_log.add(session, waiting, 1, 5, 0.5)
        holder = Holder(waiting, claim.fence, 0, 0)
        assert not runs.revoke(session, replace(holder, beat=9))
        assert runs.revoke(session, holder)
        again = runs.claim(session, waiting)
        assert again is not None
        assert not runs.fail(session, waiting, claim.fence, "bug", "x")
        assert runs.fail(session, waiting, again.fence, "data", "nothing " + "x" * 3000)
    with database.read() as session:
        told = [(row.attempt, row.step, row.loss, row.words) for row in run_log.lines(session, 1)]
    assert told[:3] == [
        (1, None, None, "a worker took the run: 1 texts, 1 shots"),
        (1, 5, 0.5, None),
        (1, None, None, "the worker gave no sign of progress; the run was taken from it"),
    ]
    assert told[3][::3] == (2, "a worker took the run: 1 texts, 1 shots")
    assert str(told[4][3]).startswith("failed (data): nothing xx")
    assert len(str(told[4][3])) == run_log.MOST_WORDS


def test_a_run_is_found_in_its_own_project_alone(
    database: Database, waiting: int, make_project: Callable[..., Project]
) -> None:
    other = make_project(2)
    with database.read() as session:
        project = session.get_one(TrainingRun, waiting).project_id
        assert run_log.of_project(session, project, waiting).id == waiting
        for where, number in ((other.id, waiting), (project, 99)):
            with pytest.raises(UnknownRunError, match="no run"):
                run_log.of_project(session, where, number)
        assert run_log.version_of(session, waiting) is None


def test_what_a_run_came_to_is_its_last_line(database: Database, waiting: int) -> None:
    made = Publication("c" * 64, "tiny", "b" * 64, {}, {})
    with database.begin() as session:
        claim = runs.claim(session, waiting)
        assert claim is not None
        version = versions.publish(session, claim, made)
        assert version is not None
        again = runs.request(session, claim.project_id, "cllmfs", "asked for", None)
        assert again is not None
        second = runs.claim(session, again)
        assert second is not None
        assert versions.publish(session, second, made) is None
    with database.read() as session:
        last = [run_log.lines(session, run_id)[-1].words for run_id in (waiting, again)]
        found = run_log.version_of(session, waiting)
    assert last[0] == "published as version 1"
    assert "no new one" in str(last[1])
    assert found is not None
    assert found.number == 1
