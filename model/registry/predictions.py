"""Stored predictions: which tasks a version still has to see, and what is to be pushed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from model.loop.acquisition import Candidate, queue_scores
from model.loop.arms import HELD_OUT
from model.registry.base import changed_rows, insert_missing, utc_now
from model.registry.projects import by_id
from model.registry.tables import StoredText, Task
from model.registry.tables_versions import (
    AdapterVersion,
    Alias,
    PredictionRun,
    StoredPrediction,
)
from model.spans import NO_TEXT, Prediction, Span

WINDOW = 500
MAX_ATTEMPTS = 3
RETRY_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class WindowTask:
    """A task of the window that the version has not seen."""

    task_ref: int
    text: str


@dataclass(frozen=True, slots=True)
class ToPush:
    """A stored prediction that Label Studio does not have yet.

    Attributes:
        task_ref: Row of the registry.
        task_id: Label Studio's task.
        held_out: Pushed empty, so that no suggestion colours its gold.
        text: The task's text, against which offsets are checked once more.
        prediction: The spans and the text's confidence.
        queue_score: Place in the queue, in [0, 1], lowest first.
    """

    task_ref: int
    task_id: int
    held_out: bool
    text: str
    prediction: Prediction
    queue_score: float


def request(session: Session, version_id: int) -> None:
    """Ask for a version's window to be predicted; asking twice asks once."""
    row = session.get(PredictionRun, version_id)
    if row is None:
        insert_missing(
            session,
            PredictionRun,
            [
                {
                    "version_id": version_id,
                    "state": "requested",
                    "attempt": 0,
                    "requested_at": utc_now(),
                }
            ],
        )
    elif row.state != "requested":
        row.state, row.failure_reason, row.requested_at = "requested", None, utc_now()
        row.attempt = 0
    session.flush()


def request_if_needed(session: Session, project_id: int) -> None:
    """Ask for the window of ``served`` if an open task has no prediction of it.

    A window that failed is tried again after ten minutes.
    """
    version_id = session.scalar(
        select(Alias.version_id).where(Alias.project_id == project_id, Alias.name == "served")
    )
    if version_id is None or not window(session, version_id, 1):
        return
    run = session.get(PredictionRun, version_id)
    rested = run is not None and utc_now() - run.requested_at > RETRY_AFTER
    if run is None or run.state == "done" or rested:
        request(session, version_id)


def begin(session: Session, version_id: int) -> bool:
    """Note an attempt at a window; False if there is nothing to do or it failed too often.

    An attempt that stores something starts the count anew, so only attempts in a row that came to
    nothing end a window.
    """
    run = session.get(PredictionRun, version_id)
    if run is None or run.state != "requested":
        return False
    if run.attempt >= MAX_ATTEMPTS:
        finish(session, version_id, f"its worker vanished {MAX_ATTEMPTS} times")
        return False
    run.attempt += 1
    return True


def stumbled(session: Session, version_id: int, reason: str) -> None:
    """Note why an attempt came to nothing; the third one ends the window as failed."""
    run = session.get(PredictionRun, version_id)
    if run is not None:
        run.failure_reason = reason
        if run.attempt >= MAX_ATTEMPTS:
            run.state = "failed"


def waiting(session: Session) -> list[tuple[int, int, str]]:
    """Windows to be predicted, served versions first, as (version id, attempt, method)."""
    rows = session.execute(
        select(PredictionRun, AdapterVersion.method)
        .join(AdapterVersion, AdapterVersion.id == PredictionRun.version_id)
        .where(PredictionRun.state == "requested")
    ).all()
    serving = set(session.scalars(select(Alias.version_id).where(Alias.name == "served")))
    ordered = sorted(rows, key=lambda r: (r[0].version_id not in serving, r[0].version_id))
    return [(run.version_id, run.attempt, method) for run, method in ordered]


def trouble(session: Session, version_id: int) -> str | None:
    """Why the version's window is not predicted, if an attempt came to nothing."""
    run = session.get(PredictionRun, version_id)
    return None if run is None else run.failure_reason


def finish(session: Session, version_id: int, failure: str | None = None) -> None:
    """Note that a version's window is done, or why it is not."""
    run = session.get(PredictionRun, version_id)
    if run is not None:
        run.state = "failed" if failure else "done"
        run.failure_reason = failure


def forget_task(session: Session, task_ref: int) -> None:
    """Drop what was predicted for a task whose text was not known then."""
    session.execute(delete(StoredPrediction).where(StoredPrediction.task_ref == task_ref))


def forget_open(session: Session, project_id: int) -> None:
    """Drop what was predicted for open tasks: the labels asked for have changed since."""
    still_open = select(Task.id).where(Task.project_id == project_id, Task.annotated.is_(False))
    session.execute(delete(StoredPrediction).where(StoredPrediction.task_ref.in_(still_open)))


def forget_pushed(session: Session, version_id: int) -> int:
    """Take rows of open tasks for not pushed: Label Studio no longer has any of this version.

    Returns:
        How many rows that were.
    """
    project_id = session.get_one(AdapterVersion, version_id).project_id
    still_open = select(Task.id).where(
        Task.project_id == project_id, Task.annotated.is_(False), Task.gone_at.is_(None)
    )
    clearing = (
        update(StoredPrediction)
        .where(
            StoredPrediction.version_id == version_id,
            StoredPrediction.pushed_at.is_not(None),
            StoredPrediction.task_ref.in_(still_open),
        )
        .values(pushed_at=None)
    )
    return changed_rows(session, clearing)


def window(session: Session, version_id: int, size: int = WINDOW) -> list[WindowTask]:
    """The next open tasks, by last known rank, that the version has not predicted yet."""
    done = select(StoredPrediction.task_ref).where(StoredPrediction.version_id == version_id)
    rows = session.execute(
        open_tasks(session.get_one(AdapterVersion, version_id).project_id)
        .where(Task.id.not_in(done))
        .limit(max(0, min(size, WINDOW - _stored(session, version_id))))
    ).all()
    return [WindowTask(task.id, text) for task, text in rows]


def store(session: Session, version_id: int, rows: Sequence[tuple[int, Prediction]]) -> None:
    """Keep predictions as (task, prediction); a task that has one keeps the first."""
    now = utc_now()
    values = [
        {
            "version_id": version_id,
            "task_ref": ref,
            "spans": [[s.start, s.end, s.label, s.score] for s in prediction.spans],
            "score": prediction.score,
            "created_at": now,
        }
        for ref, prediction in rows
    ]
    insert_missing(session, StoredPrediction, values)
    run = session.get(PredictionRun, version_id)
    if run is not None and run.state == "requested":
        run.attempt = 1
        run.failure_reason = None


def of_task(session: Session, version_id: int, task_ref: int) -> Prediction | None:
    """The stored prediction of one task, if there is one."""
    row = session.get(StoredPrediction, (version_id, task_ref))
    return None if row is None else _prediction(row)


def complete(session: Session, version_id: int) -> bool:
    """Whether every open task of the window has a row of this version."""
    return not window(session, version_id, 1)


def unpushed(session: Session, version_id: int, limit: int = 500) -> list[ToPush]:
    """Rows of open tasks that Label Studio does not have yet, with their place in the queue."""
    version = session.get_one(AdapterVersion, version_id)
    salt = by_id(session, version.project_id).salt
    rows = session.execute(
        select(StoredPrediction, Task, StoredText.text)
        .join(Task, Task.id == StoredPrediction.task_ref)
        .join(StoredText, StoredText.digest == Task.text_digest)
        .where(
            StoredPrediction.version_id == version_id,
            Task.gone_at.is_(None),
            Task.annotated.is_(False),
        )
        .order_by(Task.id)
    ).all()
    places = queue_scores([Candidate(t.id, t.arm, row.score) for row, t, _ in rows], salt)
    for _, task, _ in rows:
        task.rank = places[task.id]
    return [
        ToPush(task.id, task.task_id, task.arm == HELD_OUT, text, _prediction(row), places[task.id])
        for row, task, text in rows
        if row.pushed_at is None
    ][:limit]


def mark_pushed(session: Session, version_id: int, task_refs: Sequence[int]) -> None:
    """Note that Label Studio has these rows."""
    session.execute(
        update(StoredPrediction)
        .where(
            StoredPrediction.version_id == version_id,
            StoredPrediction.task_ref.in_(list(task_refs)),
        )
        .values(pushed_at=utc_now())
    )


def open_tasks(project_id: int) -> Select[Task, str]:
    """Statement for the open tasks of a project that have a text, by last known rank."""
    return (
        select(Task, StoredText.text)
        .join(StoredText, StoredText.digest == Task.text_digest)
        .where(
            Task.project_id == project_id,
            Task.gone_at.is_(None),
            Task.annotated.is_(False),
            Task.text_digest != NO_TEXT,
        )
        .order_by(Task.rank.is_(None), Task.rank, Task.id)
    )


def _stored(session: Session, version_id: int) -> int:
    counted = (
        select(func.count())
        .select_from(StoredPrediction)
        .join(Task, Task.id == StoredPrediction.task_ref)
        .where(
            StoredPrediction.version_id == version_id,
            Task.gone_at.is_(None),
            Task.annotated.is_(False),
        )
    )
    return session.scalar(counted) or 0


def _prediction(row: StoredPrediction) -> Prediction:
    spans = tuple(Span(int(s), int(e), str(n), float(p)) for s, e, n, p in row.spans)
    return Prediction(spans, row.score)
