"""Training runs: forward-only rows with a fence, from request to version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from model.loop.gold import GoldText, fingerprint
from model.registry import run_log
from model.registry.base import changed_rows, utc_now
from model.registry.gold_rows import (
    HeldOutText,
    annotated,
    held_out_gold,
    texts_of,
    training_gold,
)
from model.registry.projects import by_id
from model.registry.tables import AnnotationRevision, Lane
from model.registry.tables_versions import Snapshot, SnapshotItem, TrainingRun
from model.spans import AnnotatedText, LabelSet

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A run this holder may work on, with its frozen data.

    Attributes:
        run_id: The run.
        fence: Number every later write of this holder must still match.
        attempt: From 1.
        seed: Of the run.
        support: The snapshot's texts with gold spans, by task.
        labels: The label set asked for.
        held_out: Gold documents of the held-out slice, as of now.
    """

    run_id: int
    project_id: int
    method: str
    fence: int
    attempt: int
    seed: int
    support: tuple[AnnotatedText, ...]
    labels: LabelSet
    held_out: tuple[HeldOutText, ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """What the sweeper compares: a running row and its signs of life."""

    run_id: int
    fence: int
    beat: int
    step: int


def request(
    session: Session, project_id: int, method: str, reason: str, mark: str | None
) -> int | None:
    """Ask for a run; None if one of this lane waits already (the database says so)."""
    row = TrainingRun(
        project_id=project_id, method=method, state="requested", reason=reason, fingerprint=mark
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return None
    return row.id


def is_waiting(session: Session, project_id: int, method: str) -> bool:
    """Whether a run of this lane is requested and not yet begun."""
    return _in_state(session, project_id, method, "requested")


def _in_state(session: Session, project_id: int, method: str, state: str) -> bool:
    found = select(TrainingRun.id).where(
        TrainingRun.project_id == project_id,
        TrainingRun.method == method,
        TrainingRun.state == state,
    )
    return session.scalar(found.limit(1)) is not None


def claim(session: Session, run_id: int) -> Claim | None:
    """Take a requested or revoked run, and freeze its data; None means "not mine".

    A run taken more than three times ends as ``lost``; one without any span ends as ``data``.
    """
    if not _take(session, run_id):
        return None
    run = session.get_one(TrainingRun, run_id)
    if run.attempt > MAX_ATTEMPTS:
        why = f"its worker vanished {MAX_ATTEMPTS} times"
        fail(session, run_id, run.fence, "lost", why)
        return None
    project = by_id(session, run.project_id)
    if run.snapshot_id is None:
        labels = LabelSet.from_json(project.label_set)
        run.snapshot_id = _freeze(session, run, labels)
    snapshot = session.get_one(Snapshot, run.snapshot_id)
    claimed = Claim(
        run_id=run.id,
        project_id=run.project_id,
        method=run.method,
        fence=run.fence,
        attempt=run.attempt,
        seed=run.seed,
        support=tuple(snapshot_texts(session, snapshot.id)),
        labels=LabelSet.from_json(snapshot.label_set),
        held_out=tuple(held_out_gold(session, run.project_id)),
    )
    words = f"a worker took the run: {len(claimed.support)} texts, {snapshot.shots} shots"
    run_log.add(session, run_id, run.attempt, words=words)
    return claimed


def _take(session: Session, run_id: int) -> bool:
    free = or_(
        TrainingRun.state == "requested",
        and_(TrainingRun.state == "running", TrainingRun.revoked),
    )
    taking = (
        update(TrainingRun)
        .where(TrainingRun.id == run_id, free)
        .values(
            state="running",
            revoked=False,
            fence=TrainingRun.fence + 1,
            attempt=TrainingRun.attempt + 1,
            step=0,
            started_at=utc_now(),
        )
    )
    try:
        with session.begin_nested():
            return changed_rows(session, taking) == 1
    except IntegrityError:  # another run of this lane is running; the sweeper rings again
        return False


def _freeze(session: Session, run: TrainingRun, labels: LabelSet) -> int:
    gold = training_gold(session, run.project_id)
    digest = fingerprint(gold, labels.digest)
    run.fingerprint = digest
    known = session.scalar(
        select(Snapshot).where(Snapshot.project_id == run.project_id, Snapshot.digest == digest)
    )
    if known is not None:
        return known.id
    row = Snapshot(
        project_id=run.project_id,
        digest=digest,
        label_set=labels.to_json(),
        shots=sum(len(set(g.spans)) for g in gold),
    )
    session.add(row)
    session.flush()
    session.add_all(_item(row.id, g) for g in gold)
    session.flush()
    return row.id


def _item(snapshot_id: int, gold: GoldText) -> SnapshotItem:
    return SnapshotItem(
        snapshot_id=snapshot_id,
        task_ref=gold.task_ref,
        revision_id=gold.revision_id,
        text_digest=gold.text_digest,
    )


def snapshot_of(session: Session, run_id: int) -> int | None:
    """The row id of a run's frozen data, once it was claimed."""
    return session.get_one(TrainingRun, run_id).snapshot_id


def snapshot_texts(session: Session, snapshot_id: int) -> list[AnnotatedText]:
    """The frozen texts with their gold, by task."""
    rows = session.execute(
        select(SnapshotItem.text_digest, AnnotationRevision.spans)
        .join(AnnotationRevision, AnnotationRevision.id == SnapshotItem.revision_id)
        .where(SnapshotItem.snapshot_id == snapshot_id)
        .order_by(SnapshotItem.task_ref)
    ).all()
    texts = texts_of(session, [digest for digest, _ in rows])
    return [
        annotated(texts[digest], [(int(s), int(e), str(n)) for s, e, n in spans])
        for digest, spans in rows
    ]


def beat(
    session: Session, run_id: int, fence: int, *, step: int, steps: int, loss: float | None
) -> bool:
    """A sign of life; False means the run belongs to somebody else now."""
    alive = (
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.fence == fence, TrainingRun.state == "running")
        .values(beat=TrainingRun.beat + 1, step=step, steps=steps, loss=loss)
    )
    return changed_rows(session, alive) == 1


def revoke(session: Session, holder: Holder) -> bool:
    """Take a run from a silent holder, if it is as silent as it was seen."""
    taken = (
        update(TrainingRun)
        .where(
            TrainingRun.id == holder.run_id,
            TrainingRun.fence == holder.fence,
            TrainingRun.beat == holder.beat,
            TrainingRun.state == "running",
        )
        .values(revoked=True, fence=TrainingRun.fence + 1)
    )
    if changed_rows(session, taken) == 0:
        return False
    attempt = session.get_one(TrainingRun, holder.run_id).attempt
    words = "the worker gave no sign of progress; the run was taken from it"
    run_log.add(session, holder.run_id, attempt, words=words)
    return True


def fail(session: Session, run_id: int, fence: int, kind: str, reason: str) -> bool:
    """End a run as failed; False if this holder no longer holds it."""
    ended = (
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.fence == fence, TrainingRun.state == "running")
        .values(state="failed", failure_kind=kind, failure_reason=reason[:2000], ended_at=utc_now())
    )
    if changed_rows(session, ended) == 0:
        return False
    run = session.get_one(TrainingRun, run_id)
    lane = session.get_one(Lane, (run.project_id, run.method))
    lane.tried_fingerprint = run.fingerprint
    run_log.add(session, run_id, run.attempt, words=f"failed ({kind}): {reason}")
    return True


def holders(session: Session) -> list[Holder]:
    """All running rows whose holder has not been revoked."""
    rows = session.scalars(
        select(TrainingRun).where(TrainingRun.state == "running", TrainingRun.revoked.is_(False))
    )
    return [Holder(run.id, run.fence, run.beat, run.step) for run in rows]


def to_ring(session: Session) -> list[tuple[int, int, str]]:
    """Runs a worker could claim now: waiting in a free lane, or revoked.

    Returns:
        Each as (run id, attempt, method), oldest first.
    """
    rows = session.scalars(
        select(TrainingRun)
        .where(
            or_(
                TrainingRun.state == "requested",
                and_(TrainingRun.state == "running", TrainingRun.revoked),
            )
        )
        .order_by(TrainingRun.id)
    ).all()
    return [
        (run.id, run.attempt, run.method)
        for run in rows
        if run.state == "running" or not _in_state(session, run.project_id, run.method, "running")
    ]


def recent(session: Session, project_id: int, limit: int = 20) -> Sequence[TrainingRun]:
    """The newest runs of a project, newest first."""
    return session.scalars(
        select(TrainingRun)
        .where(TrainingRun.project_id == project_id)
        .order_by(TrainingRun.id.desc())
        .limit(limit)
    ).all()
