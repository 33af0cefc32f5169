"""Stored predictions: which tasks a version still has to see, and what is to be pushed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from model.loop.acquisition import Candidate, queue_scores
from model.loop.arms import HELD_OUT
from model.registry.base import utc_now
from model.registry.projects import by_id
from model.registry.tables import StoredText, Task
from model.registry.tables_versions import (
    AdapterVersion,
    Alias,
    PredictionRun,
    StoredPrediction,
)
from model.spans import Prediction, Span

WINDOW = 500


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
        session.add(PredictionRun(version_id=version_id))
    elif row.state != "requested":
        row.state, row.failure_reason, row.requested_at = "requested", None, utc_now()
        row.attempt += 1
    session.flush()


def request_if_needed(session: Session, project_id: int) -> None:
    """Ask for the window of ``served`` if an open task has no prediction of it."""
    version_id = session.scalar(
        select(Alias.version_id).where(Alias.project_id == project_id, Alias.name == "served")
    )
    if version_id is not None and window(session, version_id, 1):
        run = session.get(PredictionRun, version_id)
        if run is None or run.state == "done":
            request(session, version_id)


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


def finish(session: Session, version_id: int, failure: str | None = None) -> None:
    """Note that a version's window is done, or why it is not."""
    run = session.get(PredictionRun, version_id)
    if run is not None:
        run.state = "failed" if failure else "done"
        run.failure_reason = failure


def window(session: Session, version_id: int, size: int = WINDOW) -> list[WindowTask]:
    """The next open tasks, by last known rank, that the version has not predicted yet."""
    done = select(StoredPrediction.task_ref).where(StoredPrediction.version_id == version_id)
    rows = session.execute(
        _open_tasks(session.get_one(AdapterVersion, version_id).project_id)
        .where(Task.id.not_in(done))
        .limit(max(0, min(size, WINDOW - _stored(session, version_id))))
    ).all()
    return [WindowTask(task.id, text) for task, text in rows]


def store(session: Session, version_id: int, rows: Sequence[tuple[int, Prediction]]) -> None:
    """Keep predictions as (task, prediction); a task that has one keeps the first."""
    known = set(
        session.scalars(
            select(StoredPrediction.task_ref).where(
                StoredPrediction.version_id == version_id,
                StoredPrediction.task_ref.in_([ref for ref, _ in rows]),
            )
        )
    )
    session.add_all(
        StoredPrediction(
            version_id=version_id,
            task_ref=ref,
            spans=[[s.start, s.end, s.label, s.score] for s in prediction.spans],
            score=prediction.score,
        )
        for ref, prediction in rows
        if ref not in known
    )
    session.flush()


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


def _open_tasks(project_id: int) -> Select[Task, str]:
    return (
        select(Task, StoredText.text)
        .join(StoredText, StoredText.digest == Task.text_digest)
        .where(Task.project_id == project_id, Task.gone_at.is_(None), Task.annotated.is_(False))
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
