"""The loop's state in figures, for every project at once and in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, literal_column, select
from sqlalchemy.orm import Session

from model.loop.arms import HELD_OUT
from model.registry.tables import (
    AnnotationHead,
    AnnotationRevision,
    FeedbackEvent,
    Project,
    Task,
)
from model.registry.tables_admin import Verdict
from model.registry.tables_versions import (
    AdapterVersion,
    Alias,
    PredictionRun,
    SnapshotItem,
    TrainingRun,
)

RUNS_TIMED = 200
"""The newest ended runs whose times are read."""

UNTOLD_HOURS = 24
"""How far back changes are looked for that no webhook told; events are kept for longer."""


@dataclass(frozen=True, slots=True)
class ProjectFigures:
    """One project.

    Attributes:
        id: Row of the registry.
        uid: What Label Studio calls it.
        served: Number of the served version.
        passes: Passes of the courier since the project was registered.
        held_out: Held-out documents the gate can score: see :func:`gold_rows.held_out_gold`.
        untold: Annotation contents first seen in the last day of which no webhook told.
        dirty: Whether changes wait to be read.
        connected: Whether the courier reads it.
        paused: Whether it rests.
        unreachable: Whether Label Studio could not be reached last.
        unusable: Whether its labeling config cannot be used.
        drift: Whether somebody chose another version in Label Studio.
    """

    id: int
    uid: str
    served: int
    passes: int
    held_out: int
    untold: int
    dirty: bool
    connected: bool
    paused: bool
    unreachable: bool
    unusable: bool
    drift: bool


@dataclass(frozen=True, slots=True)
class RunCount:
    """Runs of one kind.

    Attributes:
        uid: The project.
        method: The lane's method.
        state: ``requested``, ``running``, ``succeeded`` or ``failed``.
        outcome: ``version`` or ``unchanged`` of one that succeeded, the kind of failure of one that
            failed, else empty.
        count: How many.
    """

    uid: str
    method: str
    state: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the registry tells of the loop.

    Attributes:
        projects: All projects, oldest first.
        runs: Training runs counted.
        revocations: How often a run was taken from a silent worker.
        run_seconds: Method -> seconds of its newest ended runs.
        runs_waiting: Method -> since when its oldest requested run waits.
        windows_waiting: Method -> since when its oldest window of predictions waits.
        verdicts: (project's uid, verdict) -> how many the gate gave.
    """

    projects: tuple[ProjectFigures, ...]
    runs: tuple[RunCount, ...]
    revocations: int
    run_seconds: Mapping[str, tuple[float, ...]]
    runs_waiting: Mapping[str, datetime]
    windows_waiting: Mapping[str, datetime]
    verdicts: Mapping[tuple[str, str], int]


def figures(session: Session, now: datetime) -> Figures:
    """Read them all.

    Args:
        session: An open session.
        now: The present time, aware.
    """
    counted, revocations = _runs(session)
    return Figures(
        projects=_projects(session, now),
        runs=counted,
        revocations=revocations,
        run_seconds=_run_seconds(session),
        runs_waiting=_runs_waiting(session),
        windows_waiting=_windows_waiting(session),
        verdicts=_verdicts(session),
    )


def _projects(session: Session, now: datetime) -> tuple[ProjectFigures, ...]:
    held_out, untold = _held_out(session), _untold(session, now - timedelta(hours=UNTOLD_HOURS))
    rows = session.execute(
        select(Project, AdapterVersion.number)
        .join(Alias, Alias.project_id == Project.id)
        .join(AdapterVersion, AdapterVersion.id == Alias.version_id)
        .where(Alias.name == "served")
        .order_by(Project.id)
    )
    return tuple(
        ProjectFigures(
            id=row.id,
            uid=row.uid,
            served=number,
            passes=row.pass_no,
            held_out=held_out.get(row.id, 0),
            untold=untold.get(row.id, 0),
            dirty=row.dirty_seq != row.clean_seq,
            connected=row.connected,
            paused=row.paused,
            unreachable=row.connection_error is not None,
            unusable=row.config_error is not None,
            drift=row.pointer_wanted is not None and row.pointer_seen != row.pointer_wanted,
        )
        for row, number in rows
    )


def _held_out(session: Session) -> dict[int, int]:
    # the rule of gold_rows.held_out_gold, for all projects at once: each text once, none trained on
    annotated = (
        select(Task.project_id, Task.text_digest)
        .join(AnnotationHead, AnnotationHead.task_ref == Task.id)
        .join(AnnotationRevision, AnnotationRevision.id == AnnotationHead.revision_id)
        .where(
            Task.arm == HELD_OUT,
            Task.gone_at.is_(None),
            Task.unusable.is_(None),
            AnnotationHead.gone_at.is_(None),
            AnnotationRevision.kind == "gold",
        )
    )
    trained_on = select(Task.project_id, SnapshotItem.text_digest).join(
        SnapshotItem, SnapshotItem.task_ref == Task.id
    )
    fit = annotated.except_(trained_on).subquery()
    rows = session.execute(select(fit.c.project_id, func.count()).group_by(fit.c.project_id))
    return dict(rows.all())


def _untold(session: Session, since: datetime) -> dict[int, int]:
    told = exists().where(
        FeedbackEvent.project_id == AnnotationRevision.project_id,
        FeedbackEvent.annotation_id == AnnotationRevision.annotation_id,
    )
    rows = session.execute(
        select(AnnotationRevision.project_id, func.count())
        .where(AnnotationRevision.first_seen > since, ~told)
        .group_by(AnnotationRevision.project_id)
    )
    return dict(rows.all())


def _runs(session: Session) -> tuple[tuple[RunCount, ...], int]:
    # written out: PostgreSQL does not see that two parameters of the same value are the same
    outcome = func.coalesce(TrainingRun.outcome, TrainingRun.failure_kind, literal_column("''"))
    # a fence grows by one with every claim and every revocation, an attempt with a claim alone
    taken = func.sum(TrainingRun.fence - TrainingRun.attempt)
    kinds = (Project.uid, TrainingRun.method, TrainingRun.state, outcome)
    rows = session.execute(
        select(*kinds, func.count(), taken)
        .join(Project, Project.id == TrainingRun.project_id)
        .group_by(*kinds)
        .order_by(*kinds)
    ).all()
    counted = tuple(
        RunCount(uid, method, state, said, count) for uid, method, state, said, count, _ in rows
    )
    return counted, sum(int(row[-1]) for row in rows)


def _run_seconds(session: Session) -> dict[str, tuple[float, ...]]:
    rows = session.execute(
        select(TrainingRun.method, TrainingRun.started_at, TrainingRun.ended_at)
        .where(TrainingRun.ended_at.is_not(None), TrainingRun.started_at.is_not(None))
        .order_by(TrainingRun.id.desc())
        .limit(RUNS_TIMED)
    )
    found: dict[str, list[float]] = {}
    for method, started, ended in rows:
        if started is not None and ended is not None:
            found.setdefault(method, []).append((ended - started).total_seconds())
    return {method: tuple(seconds) for method, seconds in found.items()}


def _runs_waiting(session: Session) -> dict[str, datetime]:
    rows = session.execute(
        select(TrainingRun.method, func.min(TrainingRun.requested_at))
        .where(TrainingRun.state == "requested")
        .group_by(TrainingRun.method)
    )
    return dict(rows.all())


def _windows_waiting(session: Session) -> dict[str, datetime]:
    rows = session.execute(
        select(AdapterVersion.method, func.min(PredictionRun.requested_at))
        .join(AdapterVersion, AdapterVersion.id == PredictionRun.version_id)
        .where(PredictionRun.state == "requested")
        .group_by(AdapterVersion.method)
    )
    return dict(rows.all())


def _verdicts(session: Session) -> dict[tuple[str, str], int]:
    rows = session.execute(
        select(Project.uid, Verdict.verdict, func.count())
        .join(Project, Project.id == Verdict.project_id)
        .group_by(Project.uid, Verdict.verdict)
    )
    return {(uid, verdict): count for uid, verdict, count in rows}
