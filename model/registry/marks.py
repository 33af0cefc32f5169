"""Marks on versions: pinned, archived, condemned; the versions themselves never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.registry import audit
from model.registry.artifacts import ArtifactStore
from model.registry.audit import Move
from model.registry.base import utc_now
from model.registry.errors import CondemnedError, KeptVersionError
from model.registry.projects import lock
from model.registry.rows import row
from model.registry.tables_admin import VersionMark
from model.registry.tables_versions import AdapterVersion, Alias


@dataclass(frozen=True, slots=True)
class Mark:
    """What may change about a version.

    Attributes:
        pinned: A person wants it kept.
        archived_at: Since when it is out of the way; it can still be promoted.
        archived_reason: Why.
        condemned_at: Since when it is no longer loaded; its files go some days later.
        condemned_reason: Why.
        deleted_at: When its files were deleted; its row and its lineage stay.
    """

    pinned: bool = False
    archived_at: datetime | None = None
    archived_reason: str | None = None
    condemned_at: datetime | None = None
    condemned_reason: str | None = None
    deleted_at: datetime | None = None

    @property
    def state(self) -> str:
        """``deleted``, ``condemned`` or ``archived``; empty if the version is none of them."""
        if self.deleted_at is not None:
            return "deleted"
        if self.condemned_at is not None:
            return "condemned"
        return "" if self.archived_at is None else "archived"


def mark_of(session: Session, version_id: int) -> Mark:
    """The mark of a version; nothing is set if nobody marked it."""
    return _mark(session.get(VersionMark, version_id))


def marks_of(session: Session, project_id: int) -> Mapping[int, Mark]:
    """Version id -> mark, for the versions of a project that have one."""
    found = session.scalars(
        select(VersionMark)
        .join(AdapterVersion, AdapterVersion.id == VersionMark.version_id)
        .where(AdapterVersion.project_id == project_id)
    )
    return {item.version_id: _mark(item) for item in found}


def pin(
    session: Session,
    project_id: int,
    number: int,
    pinned: bool,
    *,
    actor: str,
    reason: str,
    request_id: str | None = None,
    dry_run: bool = False,
    store: ArtifactStore | None = None,
) -> Mark:
    """Keep a version's files whatever comes after it, or stop to; audited, refusals too.

    To pin a condemned version whose files are still there saves it.

    Args:
        session: An open write transaction.
        project_id: The project.
        number: The version.
        pinned: Whether it is to be kept.
        actor: Who decides.
        reason: Why; not blank.
        request_id: Idempotency key: a repeated request returns the first answer.
        dry_run: Check everything, write nothing, and return the mark as it would be.
        store: Where a condemned version's files must still be; None looks at the rows alone.

    Raises:
        UnknownVersionError: If there is no such version.
        CondemnedError: If its files are deleted already.
        RegistryError: If the reason is blank or the request id was used for something else.
    """

    def change(version: AdapterVersion, mark: VersionMark) -> None:
        if pinned:
            _refuse_deleted(version, mark)
            if mark.condemned_at is not None and store is not None:
                _refuse_missing(version, store)
            mark.condemned_at = mark.condemned_reason = None
        mark.pinned = pinned

    outcome = "pinned" if pinned else "unpinned"
    move = Move(project_id, "pinned", number, actor, reason, outcome, request_id, dry_run)
    return _change(session, move, change)


def archive(
    session: Session,
    project_id: int,
    number: int,
    *,
    actor: str,
    reason: str,
    request_id: str | None = None,
    dry_run: bool = False,
) -> Mark:
    """Put a version out of the way; audited, refusals too. A person can still promote it.

    Args:
        session: An open write transaction.
        project_id: The project.
        number: The version.
        actor: Who decides.
        reason: Why; not blank.
        request_id: Idempotency key: a repeated request returns the first answer.
        dry_run: Check everything, write nothing, and return the mark as it would be.

    Raises:
        UnknownVersionError: If there is no such version.
        KeptVersionError: If it is served, waits for promotion, or is a base adapter.
        RegistryError: If the reason is blank or the request id was used for something else.
    """

    def change(version: AdapterVersion, mark: VersionMark) -> None:
        if mark.archived_at is None:
            _refuse_kept(session, version)
            mark.archived_at, mark.archived_reason = utc_now(), reason.strip()

    move = Move(project_id, "archived", number, actor, reason, "archived", request_id, dry_run)
    return _change(session, move, change)


def archive_rejected(session: Session, version_id: int, reason: str) -> Mark:
    """Put a candidate that the gate rejected out of the way; it no longer counts as candidate.

    Args:
        session: The write transaction that writes the verdict.
        version_id: The candidate.
        reason: The verdict's reason.
    """
    version = session.get_one(AdapterVersion, version_id)

    def change(_: AdapterVersion, mark: VersionMark) -> None:
        if mark.archived_at is None:
            mark.archived_at, mark.archived_reason = utc_now(), reason.strip()

    move = Move(version.project_id, "archived", version.number, audit.GATE, reason, "archived")
    return _change(session, move, change)


def refuse_condemned(session: Session, version: AdapterVersion) -> None:
    """Refuse a version whose files are deleted or soon will be.

    Raises:
        CondemnedError: If it is condemned.
    """
    mark = session.get(VersionMark, version.id)
    if mark is None or mark.condemned_at is None:
        return
    _refuse_deleted(version, mark)
    raise CondemnedError(
        f"Version {version.number} is condemned since {mark.condemned_at:%Y-%m-%d} "
        f"({mark.condemned_reason}) and its files will be deleted. "
        f"`nerloop versions pin {version.number}` keeps them; then try again."
    )


def _change(
    session: Session, move: Move, change: Callable[[AdapterVersion, VersionMark], None]
) -> Mark:
    if not move.dry_run:
        lock(session, move.project_id)
    number = move.number or 0
    if audit.repeated(session, move) is not None:
        return mark_of(session, row(session, move.project_id, number).id)
    with audit.refusals(session, move, number=number):
        audit.require_reason(move)
        version = row(session, move.project_id, number)
        mark = _copy(version.id, session.get(VersionMark, version.id))
        change(version, mark)
        if not move.dry_run:
            session.merge(mark)
            session.add(audit.row_of(move, number=number))
            session.flush()
    return _mark(mark)


def _refuse_deleted(version: AdapterVersion, mark: VersionMark) -> None:
    if mark.deleted_at is not None:
        raise CondemnedError(
            f"The files of version {version.number} were deleted on {mark.deleted_at:%Y-%m-%d} "
            f"({mark.condemned_reason}). A new training run on the same annotations makes such a "
            "version again."
        )


def _refuse_missing(version: AdapterVersion, store: ArtifactStore) -> None:
    # a sweeper that died between the files and the row leaves a row that knows nothing of it
    if not store.exists(version.artifact_digest):
        raise CondemnedError(
            f"The files of version {version.number} are gone, so it cannot be pinned. A new "
            "training run on the same annotations makes such a version again."
        )


def _refuse_kept(session: Session, version: AdapterVersion) -> None:
    named = session.scalar(
        select(Alias.name)
        .where(Alias.project_id == version.project_id, Alias.version_id == version.id)
        .order_by(Alias.name.desc())
    )
    if version.run_id is None:
        why = "is a base adapter, from which every run starts"
    elif named is not None:
        why = "is served" if named == "served" else "waits for promotion"
    else:
        return
    raise KeptVersionError(f"Version {version.number} {why}, so it cannot be archived.")


def _copy(version_id: int, known: VersionMark | None) -> VersionMark:
    """The mark to be changed, apart from the session: a dry run must leave no trace there."""
    held = _mark(known)
    return VersionMark(
        version_id=version_id,
        pinned=held.pinned,
        archived_at=held.archived_at,
        archived_reason=held.archived_reason,
        condemned_at=held.condemned_at,
        condemned_reason=held.condemned_reason,
        deleted_at=held.deleted_at,
    )


def _mark(found: VersionMark | None) -> Mark:
    if found is None:
        return Mark()
    return Mark(
        pinned=found.pinned,
        archived_at=found.archived_at,
        archived_reason=found.archived_reason,
        condemned_at=found.condemned_at,
        condemned_reason=found.condemned_reason,
        deleted_at=found.deleted_at,
    )
