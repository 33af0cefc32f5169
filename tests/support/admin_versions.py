"""A project's versions as a seeded registry has them: published, judged, promoted, rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from admin_answers import Judged, answer, digest_of
from admin_judged import Document, Documents, judge_on
from model.loop.arms import ACTIVE, HELD_OUT, RANDOM
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.tables_admin import RunLine, VersionMark
from model.registry.tables_versions import (
    AdapterVersion,
    Alias,
    AliasChange,
    PredictionRun,
    Snapshot,
    SnapshotItem,
    StoredPrediction,
    TrainingRun,
)
from model.spans import Span

if TYPE_CHECKING:
    from admin_registry import Wording


@dataclass(frozen=True, slots=True)
class Step:
    """A version: quality in [0, 1], texts trained on, held-out documents, what happened."""

    quality: float
    texts: int
    documents: int
    outcome: str


class History:
    """How a project's versions came and went."""

    def __init__(self) -> None:
        self.versions: list[AdapterVersion] = []
        self.served = self.previous = self.candidate = 0


def publish_all(
    session: Session,
    project: Project,
    documents: Mapping[str, Documents],
    words: Wording,
    now: datetime,
    steps: Sequence[Step],
) -> History:
    """Publish a version for each step, with its verdict, its moves and its predictions."""
    told = History()
    told.versions.append(session.query(AdapterVersion).filter_by(project_id=project.id).one())
    trained = [*documents[ACTIVE], *documents[RANDOM]]
    for number, step in enumerate(steps[1:], 1):
        at = now - timedelta(days=2 * (len(steps) - number), hours=1)
        version = _publish(session, project, number, trained[: step.texts], at)
        told.versions.append(version)
        blind = documents[HELD_OUT][: step.documents]
        served = told.versions[told.served]
        qualities = step.quality, steps[told.served].quality
        judged = judge_on(session, (version, served), qualities, blind, at, words.labels)
        _move(session, told, step.outcome, judged, at, words)
    alias = session.get_one(Alias, (project.id, "served", ""))
    alias.version_id, alias.revision = told.versions[told.served].id, told.served
    session.add(
        Alias(
            project_id=project.id,
            name="candidate",
            lane=project.method,
            version_id=told.versions[told.candidate].id,
            revision=len(steps) - 1,
        )
    )
    _predict(session, told, steps, documents, words.labels)
    session.flush()
    return told


def _publish(
    session: Session, project: Project, number: int, texts: Documents, at: datetime
) -> AdapterVersion:
    snapshot = Snapshot(
        project_id=project.id,
        digest=digest_of("snapshot", project.id, number),
        label_set=project.label_set,
        shots=sum(len(one.item.spans) for one in texts),
        created_at=at - timedelta(minutes=7),
    )
    session.add(snapshot)
    session.flush()
    session.add_all(
        SnapshotItem(
            snapshot_id=snapshot.id,
            task_ref=one.task.id,
            revision_id=one.revision.id,
            text_digest=one.task.text_digest,
        )
        for one in texts
    )
    run = _run(session, snapshot, project.method, number, at)
    version = AdapterVersion(
        project_id=project.id,
        number=number,
        method=project.method,
        base_name="tiny",
        base_digest="b" * 64,
        artifact_digest=digest_of("artifact", project.id, number),
        run_id=run.id,
        snapshot_id=snapshot.id,
        config={"rank": 16, "alpha": 32, "rate": 5e-4, "max_steps": 60},
        report={"steps": 60, "seconds": 371.2, "loss_last": 0.31},
        seed=number,
        created_at=at,
    )
    session.add(version)
    session.flush()
    return version


def _run(
    session: Session, snapshot: Snapshot, method: str, number: int, at: datetime
) -> TrainingRun:
    """The run that made a version, with its log."""
    run = TrainingRun(
        project_id=snapshot.project_id,
        method=method,
        state="succeeded",
        reason=f"{5 + number} new shots, quiet for 10 min",
        fingerprint=snapshot.digest,
        snapshot_id=snapshot.id,
        seed=number,
        attempt=1,
        step=60,
        steps=60,
        loss=0.31,
        outcome="version",
        requested_at=at - timedelta(minutes=8),
        started_at=at - timedelta(minutes=7),
        ended_at=at,
    )
    session.add(run)
    session.flush()
    for step in range(5, 61, 5):
        loss = 0.3 + 2.4 / (1 + step / 5)
        when = at - timedelta(minutes=7 - step / 10)
        session.add(RunLine(run_id=run.id, attempt=1, step=step, loss=loss, at=when))
    return run


def _move(
    session: Session, told: History, outcome: str, judged: Judged, at: datetime, words: Wording
) -> None:
    version, number = told.versions[-1], len(told.versions) - 1

    def audit(alias: str, what: str, actor: str, reason: str, minutes: int) -> None:
        session.add(
            AliasChange(
                project_id=version.project_id,
                alias=alias,
                from_version=told.served if alias == "served" else None,
                to_version=number,
                actor=actor,
                reason=reason,
                outcome=what,
                verdict=judged.verdict if what == "promoted" else None,
                refusal="Somebody else moved the alias first." if what == "refused" else None,
                revision=number,
                at=at + timedelta(minutes=minutes),
            )
        )
        session.flush()

    audit("candidate", "nominated", "worker", f"run {version.run_id} succeeded", 0)
    told.candidate = number
    if outcome == "rejected":
        reason = f"the gate: {judged.verdict}"
        session.add(
            VersionMark(version_id=version.id, pinned=False, archived_at=at, archived_reason=reason)
        )
        audit("archived", "archived", "gate", reason, 1)
        audit("served", "refused", words.actor, words.note(number), 40)
    elif outcome == "promoted":
        audit("served", "promoted", words.actor, words.note(number), 30)
        told.previous, told.served = told.served, number
        if number == 2:
            session.add(VersionMark(version_id=version.id, pinned=True))
            audit("pinned", "pinned", words.actor, words.note(3), 50)


def _predict(
    session: Session,
    told: History,
    steps: Sequence[Step],
    documents: Mapping[str, Documents],
    labels: tuple[str, ...],
) -> None:
    """Stored predictions of the three versions that shadow scores follow."""
    for number in sorted({told.served, told.previous, told.candidate}):
        version = told.versions[number]
        session.add(PredictionRun(version_id=version.id, state="done"))
        session.add_all(
            _prediction(version.id, one, answer(one.item, steps[number].quality, labels))
            for own in documents.values()
            for one in own
        )
    session.flush()


def _prediction(version_id: int, document: Document, said: Sequence[Span]) -> StoredPrediction:
    return StoredPrediction(
        version_id=version_id,
        task_ref=document.task.id,
        spans=[[s.start, s.end, s.label, s.score] for s in said],
        score=min((s.score for s in said), default=0.9),
        created_at=document.revision.first_seen - timedelta(hours=1),
    )
