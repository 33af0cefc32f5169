"""Adapter versions: published by one commit, never changed, read with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from model.registry import aliases, evaluations, judging, predictions, run_log
from model.registry.base import changed_rows, utc_now
from model.registry.errors import FenceLostError
from model.registry.evaluations import Scores as Scores
from model.registry.judging import Judged
from model.registry.projects import by_id, mark_dirty
from model.registry.rows import of_id as of_id
from model.registry.rows import row as row
from model.registry.runs import Claim
from model.registry.tables import Lane, Project
from model.registry.tables_admin import VersionMark
from model.registry.tables_versions import (
    AdapterVersion,
    Evaluation,
    Snapshot,
    SnapshotItem,
    TrainingRun,
)


@dataclass(frozen=True, slots=True)
class Publication:
    """What a worker hands over for the one commit that publishes a version.

    Attributes:
        artifact_digest: Where the files lie in the artifact store, complete and synced.
        base_name: Catalogue name of the base model.
        base_digest: Digest of its tensors.
        config: Method configuration, seed included.
        report: Figures of the fit.
        scores: Candidate on the held-out slice, if any document is there.
        served_scores: Served version on the same documents, with its version id.
        judged: What the gate said of it.
    """

    artifact_digest: str
    base_name: str
    base_digest: str
    config: Mapping[str, Any]
    report: Mapping[str, Any]
    scores: Scores | None = None
    served_scores: tuple[int, Scores] | None = None
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version with everything an admin asks about it. ``f1`` is in [0, 1], or None unscored."""

    id: int
    number: int
    name: str
    method: str
    state: str
    shots: int
    texts: int
    run_id: int | None
    trigger: str
    artifact_digest: str
    snapshot_digest: str | None
    base_name: str
    base_digest: str
    config: dict[str, Any]
    report: dict[str, Any]
    seed: int
    f1: float | None
    documents: int
    created_at: datetime


def publish(session: Session, claim: Claim, made: Publication) -> AdapterVersion | None:
    """End a run as succeeded and make its version visible, all in this transaction.

    Returns:
        The new version, or None if the project has a version of the same files already (outcome
        ``unchanged``).

    Raises:
        FenceLostError: If this holder no longer holds the run; nothing was written.
        StaleVerdictError: If the verdict has to be made anew; nothing was written.
    """
    mark_dirty(session, claim.project_id)  # the project's row first, as every writer does
    twin = session.scalar(
        select(AdapterVersion.id)
        .outerjoin(VersionMark, VersionMark.version_id == AdapterVersion.id)
        .where(
            AdapterVersion.project_id == claim.project_id,
            AdapterVersion.artifact_digest == made.artifact_digest,
            VersionMark.condemned_at.is_(None),
        )
    )
    outcome = "version" if twin is None else "unchanged"
    run = _ended(session, claim, outcome)
    if twin is not None:
        _tell(session, run, None, made)
        return None
    version = _insert(session, claim, run, made)
    _tell(session, run, version, made)
    _judge(session, version, made)
    return version


def _ended(session: Session, claim: Claim, outcome: str) -> TrainingRun:
    ending = (
        update(TrainingRun)
        .where(
            TrainingRun.id == claim.run_id,
            TrainingRun.fence == claim.fence,
            TrainingRun.state == "running",
        )
        .values(
            state="succeeded",
            outcome=outcome,
            step=TrainingRun.steps,
            ended_at=utc_now(),
        )
    )
    if changed_rows(session, ending) == 0:
        raise FenceLostError
    run = session.get_one(TrainingRun, claim.run_id)
    session.get_one(Lane, (claim.project_id, claim.method)).fingerprint = run.fingerprint
    return run


def _judge(session: Session, version: AdapterVersion, made: Publication) -> None:
    for owner, scores in ((version.id, made.scores), made.served_scores or (0, None)):
        if scores is not None:
            evaluations.keep(session, owner, scores)
    if made.judged is None or made.judged.judgement.verdict != "REJECT":
        aliases.nominate(session, version.project_id, version.method, version)
        predictions.request(session, version.id)
    if made.judged is not None:
        judging.settle(session, version, made.judged, is_new=True)
        session.refresh(version)  # a moved alias lets the session forget what it had read


def _tell(
    session: Session, run: TrainingRun, version: AdapterVersion | None, made: Publication
) -> None:
    words = "the same weights are a version already; there is no new one"
    if version is not None:
        said = f"; the gate says {made.judged.judgement.verdict}" if made.judged else ""
        words = f"published as version {version.number}{said}"
    run_log.add(session, run.id, run.attempt, words=words)


def _insert(session: Session, claim: Claim, run: TrainingRun, made: Publication) -> AdapterVersion:
    newest = session.scalar(
        select(func.max(AdapterVersion.number)).where(AdapterVersion.project_id == claim.project_id)
    )
    version = AdapterVersion(
        project_id=claim.project_id,
        number=(newest or 0) + 1,
        method=claim.method,
        base_name=made.base_name,
        base_digest=made.base_digest,
        artifact_digest=made.artifact_digest,
        run_id=run.id,
        snapshot_id=run.snapshot_id,
        config=dict(made.config),
        report=dict(made.report),
        seed=claim.seed,
    )
    session.add(version)
    session.flush()
    return version


def versions(session: Session, project_id: int) -> list[VersionView]:
    """All versions of a project, oldest first."""
    project = by_id(session, project_id)
    rows = session.scalars(
        select(AdapterVersion)
        .where(AdapterVersion.project_id == project_id)
        .order_by(AdapterVersion.number)
    ).all()
    return _views(session, project, rows)


def names(session: Session, project_id: int) -> list[str]:
    """What Label Studio calls a project's versions, oldest first."""
    ls_id = by_id(session, project_id).ls_id
    wanted = select(AdapterVersion.number).where(AdapterVersion.project_id == project_id)
    rows = session.scalars(wanted.order_by(AdapterVersion.number))
    return [f"{ls_id}.{number}" for number in rows]


def version(session: Session, project_id: int, number: int) -> VersionView:
    """One version.

    Raises:
        UnknownVersionError: If the project has none of that number.
    """
    return _views(session, by_id(session, project_id), [row(session, project_id, number)])[0]


def _views(session: Session, project: Project, rows: Sequence[AdapterVersion]) -> list[VersionView]:
    states = aliases.states(session, project.id)
    views = []
    for item in rows:
        snapshot = session.get(Snapshot, item.snapshot_id) if item.snapshot_id else None
        run = session.get(TrainingRun, item.run_id) if item.run_id else None
        scored = evaluations.latest(session, item.id)
        views.append(
            VersionView(
                id=item.id,
                number=item.number,
                name=f"{project.ls_id}.{item.number}",
                method=item.method,
                state=states.get(item.id, ""),
                shots=snapshot.shots if snapshot else 0,
                texts=_texts(session, snapshot),
                run_id=item.run_id,
                trigger=run.reason if run else "shipped base adapter",
                artifact_digest=item.artifact_digest,
                snapshot_digest=snapshot.digest if snapshot else None,
                base_name=item.base_name,
                base_digest=item.base_digest,
                config=item.config,
                report=item.report,
                seed=item.seed,
                f1=_f1(scored),
                documents=len(scored.documents) if scored else 0,
                created_at=item.created_at,
            )
        )
    return views


def _texts(session: Session, snapshot: Snapshot | None) -> int:
    if snapshot is None:
        return 0
    counted = select(func.count()).where(SnapshotItem.snapshot_id == snapshot.id)
    return session.scalar(counted) or 0


def _f1(scored: Evaluation | None) -> float | None:
    if scored is None or scored.gold + scored.predicted == 0:
        return None
    return 2 * scored.true_positives / (scored.gold + scored.predicted)
