"""Second looks: which candidates are to be judged again, now that more documents exist."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.loop.gate import FLOOR
from model.loop.looks import Look, next_look
from model.registry import aliases, audit, judging, marks, predictions, verdicts
from model.registry.base import utc_now
from model.registry.gold_rows import held_out_count
from model.registry.projects import by_id
from model.registry.tables_versions import AdapterVersion, Alias, AliasChange, PredictionRun


def request_if_due(session: Session, project_id: int) -> None:
    """Ask for a job of every candidate that is to be judged again; asking twice asks once.

    A look that came to nothing is tried again after ten minutes.
    """
    candidates = session.scalars(
        select(AdapterVersion)
        .join(Alias, Alias.version_id == AdapterVersion.id)
        .where(Alias.project_id == project_id, Alias.name == "candidate")
        .order_by(AdapterVersion.id)
    ).all()
    for version in candidates:
        run = session.get(PredictionRun, version.id)
        if run is not None and run.state == "requested":
            continue  # that job looks again by itself
        rested = run is not None and utc_now() - run.requested_at > predictions.RETRY_AFTER
        if (run is None or run.failure_reason is None or rested) and is_due(session, version):
            predictions.request(session, version.id)


def is_due(session: Session, version: AdapterVersion) -> bool:
    """Whether a version is to be judged against what is served now.

    It is the candidate of the method the project trains with, was never served, and either never
    compared with that version or held until more documents exist, which do now.
    """
    served = aliases.served(session, version.project_id)
    if not _waits(session, version) or version.id == served.version_id:
        return False
    pair = verdicts.of_pair(session, version.id, served.version_id)
    if not pair:
        return True
    last = pair[-1]
    if last.verdict != "HOLD" or last.needed is None:
        return False
    documents = held_out_count(session, version.project_id)
    if documents < last.needed:
        return False
    standing = judging.standing_of(
        session,
        version.project_id,
        version.method,
        served,
        snapshot_id=version.snapshot_id,
        candidate_id=version.id,
    )
    return isinstance(next_look(standing, documents, FLOOR), Look)


def _waits(session: Session, version: AdapterVersion) -> bool:
    if version.method != by_id(session, version.project_id).method:
        return False  # its lane rests: nothing of it is served but by a person
    alias = session.get(Alias, (version.project_id, "candidate", version.method))
    if alias is None or alias.version_id != version.id:
        return False
    mark = marks.mark_of(session, version.id)
    if mark.archived_at is not None or mark.condemned_at is not None:
        return False
    # one that was served and is not any more was sent back by a person: that stands
    was_served = select(AliasChange.id).where(
        AliasChange.project_id == version.project_id,
        AliasChange.alias == "served",
        AliasChange.to_version == version.number,
        AliasChange.outcome != audit.REFUSED,
    )
    return session.scalar(was_served.limit(1)) is None
