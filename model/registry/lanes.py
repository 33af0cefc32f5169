"""A lane's state as the trigger sees it, and the request that follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.loop.gold import GoldText, SpanKey, fingerprint, new_shots
from model.loop.trigger import Decision, LaneState, TriggerSettings, decide
from model.registry import runs
from model.registry.gold_rows import training_gold
from model.registry.tables import AnnotationRevision, Lane, Project
from model.registry.tables_versions import Snapshot, SnapshotItem, TrainingRun
from model.spans import LabelSet


def lane(session: Session, project_id: int, method: str) -> Lane:
    """The lane of a method in a project, made on first use."""
    found = session.get(Lane, (project_id, method))
    if found is None:
        found = Lane(project_id=project_id, method=method)
        session.add(found)
        session.flush()
    return found


def of_project(session: Session, project_id: int) -> Sequence[Lane]:
    """The lanes of a project, by method."""
    wanted = select(Lane).where(Lane.project_id == project_id).order_by(Lane.method)
    return session.scalars(wanted).all()


def decide_all(
    session: Session, project: Project, settings: TriggerSettings, moment: datetime
) -> tuple[tuple[tuple[int, str], ...], str]:
    """Let the trigger decide for the lane of a project's method and request the run it wants.

    Lanes of methods the project used before rest.

    Returns:
        The runs requested as (run id, method), and the last decision's reason.
    """
    if not project.label_set:
        return (), project.config_error or "the labeling configuration has no labels"
    gold = training_gold(session, project.id)
    mark = fingerprint(gold, LabelSet.from_json(project.label_set).digest)
    requested: list[tuple[int, str]] = []
    reason = ""
    rows = select(Lane).where(Lane.project_id == project.id, Lane.method == project.method)
    for row in session.scalars(rows).all():
        if row.seen_fingerprint != mark:
            row.seen_fingerprint, row.seen_at = mark, moment
        decision = decide(_state(session, project, row, gold, mark, moment), settings)
        row.decision = reason = decision.reason
        run_id = _request(session, project, row, decision, mark)
        if run_id is not None:
            requested.append((run_id, row.method))
    return tuple(requested), reason


def _request(
    session: Session, project: Project, row: Lane, decision: Decision, mark: str
) -> int | None:
    if not decision.train:
        if row.asked and runs.is_waiting(session, project.id, row.method):
            row.asked = False  # the waiting run freezes its data when it begins: that covers it
        return None
    run_id = runs.request(session, project.id, row.method, decision.reason, mark)
    if run_id is not None:
        row.asked = False
    return run_id


def _state(
    session: Session,
    project: Project,
    row: Lane,
    gold: list[GoldText],
    mark: str,
    moment: datetime,
) -> LaneState:
    last = session.scalar(
        select(TrainingRun)
        .where(
            TrainingRun.project_id == project.id,
            TrainingRun.method == row.method,
            TrainingRun.snapshot_id.is_not(None),
        )
        .order_by(TrainingRun.id.desc())
        .limit(1)
    )
    before: dict[int, list[SpanKey]] = {}
    last_shots = 0
    finished = {row.fingerprint or "", row.tried_fingerprint or ""}
    if last is not None and last.snapshot_id is not None:
        before = snapshot_spans(session, last.snapshot_id)
        last_shots = session.get_one(Snapshot, last.snapshot_id).shots
        if last.state == "running":
            finished.add(last.fingerprint or "")
    now = {g.task_ref: list(g.spans) for g in gold}
    since = row.seen_at or moment
    return LaneState(
        fingerprint=mark,
        finished=frozenset(finished),
        texts=len(gold),
        spans=sum(len(set(g.spans)) for g in gold),
        new_shots=new_shots(before, now),
        last_shots=last_shots,
        seconds_unchanged=max(0.0, (moment - since).total_seconds()),
        waiting=runs.is_waiting(session, project.id, row.method),
        paused=project.paused,
        asked=row.asked,
    )


def snapshot_spans(session: Session, snapshot_id: int) -> dict[int, list[SpanKey]]:
    """The frozen gold spans of a snapshot by task."""
    rows = session.execute(
        select(SnapshotItem.task_ref, AnnotationRevision.spans)
        .join(AnnotationRevision, AnnotationRevision.id == SnapshotItem.revision_id)
        .where(SnapshotItem.snapshot_id == snapshot_id)
    )
    return {ref: [(int(s), int(e), str(label)) for s, e, label in spans] for ref, spans in rows}
