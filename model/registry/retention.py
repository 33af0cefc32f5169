"""Retention in two steps: condemn what nobody needs, and some days later delete its files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.errors import NerLoopError
from model.loop.retention import Standing, to_condemn
from model.registry import audit
from model.registry.artifacts import ArtifactStore
from model.registry.audit import Move
from model.registry.marks import marks_of
from model.registry.previous import previous_served
from model.registry.projects import every, lock
from model.registry.rows import row
from model.registry.session import Database
from model.registry.tables import Task
from model.registry.tables_admin import VersionMark
from model.registry.tables_versions import (
    AdapterVersion,
    Alias,
    AliasChange,
    StoredPrediction,
    TrainingRun,
)

_log = logging.getLogger(__name__)

ACTOR = "retention"
"""The actor in the audit."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did: versions condemned, and versions whose files were deleted."""

    condemned: int
    deleted: int


@dataclass(frozen=True, slots=True)
class _Doomed:
    """A condemned version whose time is up."""

    version_id: int
    project_id: int
    number: int
    digest: str


def collect(
    database: Database, store: ArtifactStore, moment: datetime, wait: timedelta
) -> Collected:
    """Condemn versions that are no longer needed, and delete the files of those condemned before.

    Loads refuse a condemned version at once and take far less time than ``wait``, so none of them
    meets a deletion. Rows are never deleted, so lineage stays. What cannot be deleted is logged and
    tried again the next time; it holds up nothing else.

    Args:
        database: The registry.
        store: Where adapters are.
        moment: The present time.
        wait: Time between the two steps.
    """
    with database.read() as session:
        projects = [project.id for project in every(session)]
        doomed = _doomed(session, moment - wait)
    condemned = sum(_condemn(database, project_id, moment) for project_id in projects)
    deleted = sum(_try_to_delete(database, store, item, moment, wait) for item in doomed)
    return Collected(condemned, deleted)


def _condemn(database: Database, project_id: int, moment: datetime) -> int:
    with database.read() as session:
        if not _unneeded(session, project_id):
            return 0
    with database.begin() as session:
        lock(session, project_id)
        found = _unneeded(session, project_id)
        for number, reason in found.items():
            version = row(session, project_id, number)
            mark = session.get(VersionMark, version.id) or VersionMark(version_id=version.id)
            mark.condemned_at, mark.condemned_reason = moment, reason
            session.add(mark)
            _note(session, project_id, number, reason, "condemned")
        return len(found)


def _unneeded(session: Session, project_id: int) -> Mapping[int, str]:
    rows = session.scalars(
        select(AdapterVersion).where(AdapterVersion.project_id == project_id)
    ).all()
    marks = marks_of(session, project_id)
    pinned = {version_id for version_id, mark in marks.items() if mark.pinned}
    gone = {version_id for version_id, mark in marks.items() if mark.condemned_at is not None}
    needed = pinned | _named(session, project_id)
    before = previous_served(session, project_id)
    served = set(
        session.scalars(
            select(AliasChange.to_version).where(
                AliasChange.project_id == project_id,
                AliasChange.alias == "served",
                AliasChange.outcome != audit.REFUSED,
            )
        )
    )
    return to_condemn(
        [
            Standing(
                number=item.number,
                lane=item.method,
                needed=item.run_id is None or item.id in needed or item.number == before,
                was_served=item.number in served,
            )
            for item in rows
            if item.id not in gone
        ]
    )


def _named(session: Session, project_id: int) -> set[int]:
    """Versions that an alias names, or a prediction that Label Studio holds."""
    by_alias = select(Alias.version_id).where(Alias.project_id == project_id)
    by_prediction = (
        select(StoredPrediction.version_id)
        .join(Task, Task.id == StoredPrediction.task_ref)
        .where(
            Task.project_id == project_id,
            Task.gone_at.is_(None),
            StoredPrediction.pushed_at.is_not(None),
        )
        .distinct()
    )
    return set(session.scalars(by_alias)) | set(session.scalars(by_prediction))


def _doomed(session: Session, before: datetime) -> list[_Doomed]:
    rows = session.execute(
        select(AdapterVersion)
        .join(VersionMark, VersionMark.version_id == AdapterVersion.id)
        .where(VersionMark.condemned_at <= before, VersionMark.deleted_at.is_(None))
        .order_by(AdapterVersion.id)
    ).scalars()
    return [_Doomed(v.id, v.project_id, v.number, v.artifact_digest) for v in rows]


def _try_to_delete(
    database: Database, store: ArtifactStore, item: _Doomed, moment: datetime, wait: timedelta
) -> bool:
    try:
        return _delete(database, store, item, moment, wait)
    except (NerLoopError, OSError) as error:  # else one bad folder would stop all that come after
        _log.warning("the files of version row %s stay for now: %s", item.version_id, error)
        return False


def _delete(
    database: Database, store: ArtifactStore, item: _Doomed, moment: datetime, wait: timedelta
) -> bool:
    with ExitStack() as files, database.begin() as session:
        lock(session, item.project_id)
        mark = session.get_one(VersionMark, item.version_id)
        condemned = mark.condemned_at
        if condemned is None or condemned > moment - wait or mark.deleted_at is not None:
            return False  # somebody pinned it meanwhile, or another sweeper was quicker
        if _a_run_lives(session):
            return False  # it may be about to publish the very same files, in whatever project
        if not _shared(session, item):
            files.enter_context(store.removing(item.digest))
        mark.deleted_at = moment
        _note(session, item.project_id, item.number, mark.condemned_reason or "", "deleted")
        return True


def _a_run_lives(session: Session) -> bool:
    living = select(TrainingRun.id).where(TrainingRun.state == "running")
    return session.scalar(living.limit(1)) is not None


def _shared(session: Session, item: _Doomed) -> bool:
    """Whether another version, of whatever project, still has a claim to the same files."""
    others = (
        select(AdapterVersion.id)
        .outerjoin(VersionMark, VersionMark.version_id == AdapterVersion.id)
        .where(
            AdapterVersion.artifact_digest == item.digest,
            AdapterVersion.id != item.version_id,
            VersionMark.deleted_at.is_(None),
        )
    )
    return session.scalar(others.limit(1)) is not None


def _note(session: Session, project_id: int, number: int, reason: str, outcome: str) -> None:
    move = Move(project_id, "condemned", number, ACTOR, reason, outcome)
    session.add(audit.row_of(move, number=number))
