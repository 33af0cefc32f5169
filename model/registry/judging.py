"""A candidate beside what is served: what the gate knows of it, and the commit of its verdict."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from model.evaluation.paired import PairedCounts, paired_counts
from model.lanes import queue_of
from model.loop.gate import FLOOR, Judgement, indicative, judge
from model.loop.gold import new_shots
from model.loop.looks import NO_LOOK, Look, Standing, next_look
from model.registry import aliases, audit, lanes, marks, verdicts
from model.registry.aliases import Served
from model.registry.errors import LostRaceError, StaleVerdictError
from model.registry.evaluations import Scores
from model.registry.projects import by_id, mark_dirty
from model.registry.tables_versions import AdapterVersion


@dataclass(frozen=True, slots=True)
class Trial:
    """What a candidate and the served version answered to the same held-out documents.

    Attributes:
        served: The served version.
        candidate: Scores of the candidate; None if there is no document, or it is broken.
        rival: Scores of the served version; None if it was not scored.
        broken: Why the candidate cannot be used at all.
        why_not: Why the served version was not scored, for an admin.
    """

    served: Served
    candidate: Scores | None = None
    rival: Scores | None = None
    broken: str | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement and what it rests on.

    Attributes:
        judgement: What the gate said.
        served: The version the candidate was compared with.
        standing: What had been looked at before.
        eval_digest: The documents.
    """

    judgement: Judgement
    served: Served
    standing: Standing
    eval_digest: str | None


def standing_of(
    session: Session,
    project_id: int,
    method: str,
    served: Served,
    *,
    snapshot_id: int | None,
    candidate_id: int | None = None,
) -> Standing:
    """What was looked at in a lane before a candidate is judged.

    Args:
        session: An open session.
        project_id: The project.
        method: The lane.
        served: What the candidate is compared with.
        snapshot_id: What the candidate learnt.
        candidate_id: The candidate, if it is a version already.
    """
    pair = (
        [] if candidate_id is None else verdicts.of_pair(session, candidate_id, served.version_id)
    )
    looked = [row.look for row in pair if row.look > 0]
    last = verdicts.last_look(session, project_id, method)
    return Standing(
        policy=by_id(session, project_id).policy,
        fast=queue_of(method) == "fast",
        judged=bool(pair),
        lane_looks=verdicts.looks(session, project_id, method),
        pair_looks=len(looked),
        last_number=max(looked, default=0),
        last_documents=None if last is None else last.documents,
        new_shots=0 if last is None else _new_shots(session, last.candidate_id, snapshot_id),
    )


def judged(trial: Trial, standing: Standing, artifact_digest: str) -> Judged | None:
    """Let the gate judge a candidate; no database is asked, so no writer waits for the draws.

    Args:
        trial: The answers.
        standing: What was looked at before.
        artifact_digest: The candidate's.

    Returns:
        The judgement; None if nothing new can be said of a pair that was judged before.
    """
    digest = trial.candidate.eval_digest if trial.candidate else None
    judgement = _judgement(trial, standing, artifact_digest)
    return None if judgement is None else Judged(judgement, trial.served, standing, digest)


def settle(session: Session, version: AdapterVersion, judged: Judged, *, is_new: bool) -> None:
    """Write a verdict and do what it and the policy ask for; the last step of a transaction.

    A candidate that was rejected is archived. Under ``auto`` a PROMOTE moves ``served``, if it
    still is what the candidate was compared with; otherwise the audit keeps the refusal. Under
    ``serve-fast`` a new version of the fast lane is served whatever the verdict.

    Args:
        session: An open write transaction.
        version: The candidate.
        judged: What the gate said.
        is_new: Whether this transaction publishes the version.

    Raises:
        StaleVerdictError: If the lane was looked at, or the policy changed, since then.
    """
    project_id, standing, judgement = version.project_id, judged.standing, judged.judgement
    mark_dirty(session, project_id)  # the project's row first, as every writer does
    policy = by_id(session, project_id).policy
    looks = verdicts.looks(session, project_id, version.method)
    if (policy, looks) != (standing.policy, standing.lane_looks):
        raise StaleVerdictError
    verdicts.write(
        session,
        version,
        judged.served.version_id,
        judgement,
        policy=policy,
        eval_digest=judged.eval_digest,
    )
    serves = is_new and policy == "serve-fast" and standing.fast and not judgement.broken
    if judgement.verdict == "REJECT" and not serves:
        marks.archive_rejected(session, version.id, judgement.reason)
    if serves:
        why = f"policy serve-fast, without a gate; it says {judgement.verdict}: {judgement.reason}"
        _promote(session, version, why, None)
    elif policy == "auto" and judgement.verdict == "PROMOTE":
        _promote(session, version, judgement.reason, judged.served.revision)


def _promote(session: Session, version: AdapterVersion, reason: str, revision: int | None) -> None:
    try:
        aliases.promote(
            session,
            version.project_id,
            version.number,
            actor=audit.GATE,
            reason=reason,
            expected_revision=revision,
        )
    except LostRaceError:
        return  # somebody decided meanwhile; the audit keeps the refusal, the next look is theirs


def _judgement(trial: Trial, standing: Standing, artifact_digest: str) -> Judgement | None:
    if trial.broken is not None:
        return Judgement("REJECT", trial.broken, broken=True)
    counts = _counts(trial)
    there = 0 if trial.candidate is None else len(trial.candidate.documents)
    look = next_look(standing, there, FLOOR)
    if not isinstance(look, Look):
        return None if standing.judged else indicative(counts, look.reason, look.needed)
    if counts is None:
        why = trial.why_not or "The served version was not scored."
        # a look that is asked for is taken, though nothing is spent: it is not asked for again
        taken = replace(look, level=0.0) if standing.judged else NO_LOOK
        return Judgement("HOLD", why, look=taken, documents=there)
    return judge(counts, look, seed=_seed(trial, artifact_digest))


def _counts(trial: Trial) -> PairedCounts | None:
    if trial.candidate is None or trial.rival is None:
        return None
    ours, theirs = trial.candidate.answers, trial.rival.answers
    return paired_counts(
        [answer.gold for answer in ours],
        [answer.said for answer in ours],
        [answer.said for answer in theirs],
    )


def _seed(trial: Trial, artifact_digest: str) -> int:
    digest = trial.candidate.eval_digest if trial.candidate else ""
    material = f"{artifact_digest} {trial.served.artifact_digest} {digest}"
    return int.from_bytes(hashlib.sha256(material.encode()).digest()[:8], "big")


def _new_shots(session: Session, looked_at: int, snapshot_id: int | None) -> int:
    before = session.get_one(AdapterVersion, looked_at).snapshot_id
    spans = (
        {} if found is None else lanes.snapshot_spans(session, found)
        for found in (before, snapshot_id)
    )
    return new_shots(*spans)
