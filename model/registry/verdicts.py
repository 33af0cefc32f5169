"""Verdicts of the gate: written once, read with version numbers, counted as looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from model.loop.gate import Judgement, LabelScore
from model.registry.tables_admin import Verdict
from model.registry.tables_versions import AdapterVersion

__all__ = ["LabelScore", "VerdictView"]


@dataclass(frozen=True, slots=True)
class VerdictView:
    """What the gate said of a candidate against what was served then.

    Attributes:
        id: The verdict's row.
        candidate: Number of the version that was judged.
        served: Number of the version it was compared with.
        lane: The candidate's method.
        look: Which look that was, from 1; 0 where nothing could be decided, which costs no look.
        verdict: ``PROMOTE``, ``HOLD`` or ``REJECT``.
        reason: Why, in a sentence for an admin.
        level: Two-sided share of false alarms spent on this look, in [0, 1].
        documents: Held-out documents both versions answered.
        needed: Documents in all that would decide; None where more of them would not help.
        no_harm: Whether a loss of more than half a point is unlikely.
        candidate_f1: In [0, 1]; None where nothing was compared, as in the next five.
        served_f1: In [0, 1].
        delta: Candidate minus served, in [-1, 1].
        low: Lower end of its interval.
        high: Upper end.
        label_scores: The same for each label that occurs.
        policy: The project's policy then.
        at: When.
    """

    id: int
    candidate: int
    served: int
    lane: str
    look: int
    verdict: str
    reason: str
    level: float
    documents: int
    needed: int | None
    no_harm: bool
    candidate_f1: float | None
    served_f1: float | None
    delta: float | None
    low: float | None
    high: float | None
    label_scores: tuple[LabelScore, ...]
    policy: str
    at: datetime


def write(
    session: Session,
    candidate: AdapterVersion,
    served_id: int,
    judgement: Judgement,
    *,
    policy: str,
    eval_digest: str | None,
) -> Verdict:
    """Add a verdict on a candidate against a served version; it never changes.

    ``eval_digest`` names the documents they were compared on, if there were any.
    """
    row = Verdict(
        project_id=candidate.project_id,
        lane=candidate.method,
        candidate_id=candidate.id,
        served_id=served_id,
        look=judgement.look.number,
        eval_digest=eval_digest,
        verdict=judgement.verdict,
        reason=judgement.reason,
        level=judgement.look.level,
        documents=judgement.documents,
        needed=judgement.needed,
        no_harm=judgement.no_harm,
        candidate_f1=judgement.candidate_f1,
        served_f1=judgement.served_f1,
        delta=judgement.delta,
        low=judgement.low,
        high=judgement.high,
        label_scores=[asdict(label) for label in judgement.label_scores],
        policy=policy,
    )
    session.add(row)
    session.flush()
    return row


def of_version(session: Session, version_id: int) -> list[VerdictView]:
    """All verdicts on a version as candidate, newest first."""
    return _views(session, Verdict.candidate_id == version_id)


def of_project(session: Session, project_id: int) -> list[VerdictView]:
    """All verdicts of a project, newest first."""
    return _views(session, Verdict.project_id == project_id)


def latest(session: Session, version_id: int) -> VerdictView | None:
    """The newest verdict on a version, if there is one."""
    found = of_version(session, version_id)
    return found[0] if found else None


def newest(session: Session, project_id: int) -> dict[int, VerdictView]:
    """Number of a candidate -> the newest verdict on it."""
    return {view.candidate: view for view in reversed(of_project(session, project_id))}


def looks(session: Session, project_id: int, lane: str) -> int:
    """How often the candidates of a lane were looked at so far; looks in vain do not count."""
    counted = select(func.count()).where(
        Verdict.project_id == project_id, Verdict.lane == lane, Verdict.look > 0
    )
    return session.scalar(counted) or 0


def last_look(session: Session, project_id: int, lane: str) -> Verdict | None:
    """The newest verdict of a lane that counts as a look."""
    return session.scalar(
        select(Verdict)
        .where(Verdict.project_id == project_id, Verdict.lane == lane, Verdict.look > 0)
        .order_by(Verdict.id.desc())
        .limit(1)
    )


def of_pair(session: Session, candidate_id: int, served_id: int) -> Sequence[Verdict]:
    """The verdicts on one version against another, oldest first."""
    return session.scalars(
        select(Verdict)
        .where(Verdict.candidate_id == candidate_id, Verdict.served_id == served_id)
        .order_by(Verdict.id)
    ).all()


def _views(session: Session, wanted: ColumnElement[bool]) -> list[VerdictView]:
    candidate, served = aliased(AdapterVersion), aliased(AdapterVersion)
    rows = session.execute(
        select(Verdict, candidate.number, served.number)
        .join(candidate, candidate.id == Verdict.candidate_id)
        .join(served, served.id == Verdict.served_id)
        .where(wanted)
        .order_by(Verdict.id.desc())
    ).all()
    return [_view(row, first, second) for row, first, second in rows]


def _view(row: Verdict, candidate: int, served: int) -> VerdictView:
    return VerdictView(
        id=row.id,
        candidate=candidate,
        served=served,
        lane=row.lane,
        look=row.look,
        verdict=row.verdict,
        reason=row.reason,
        level=row.level,
        documents=row.documents,
        needed=row.needed,
        no_harm=row.no_harm,
        candidate_f1=row.candidate_f1,
        served_f1=row.served_f1,
        delta=row.delta,
        low=row.low,
        high=row.high,
        label_scores=tuple(LabelScore(**label) for label in row.label_scores),
        policy=row.policy,
        at=row.at,
    )
