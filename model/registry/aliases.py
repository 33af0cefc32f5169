"""Aliases: `served` and `candidate`, moved by compare-and-set, every move in the audit."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from model.registry import audit, marks
from model.registry.audit import Move
from model.registry.audit import history as history
from model.registry.base import changed_rows
from model.registry.errors import (
    AlreadyServedError,
    LostRaceError,
    NothingToRollBackError,
    RegistryError,
)
from model.registry.predictions import request
from model.registry.previous import previous_served
from model.registry.projects import by_id, lock, mark_dirty
from model.registry.rows import row
from model.registry.tables_admin import Verdict, VersionMark
from model.registry.tables_versions import AdapterVersion, Alias, AliasChange


@dataclass(frozen=True, slots=True)
class Served:
    """The version behind an alias; ``name`` is what Label Studio calls ``model_version``."""

    version_id: int
    number: int
    name: str
    method: str
    artifact_digest: str
    base_digest: str
    revision: int


@dataclass(frozen=True, slots=True)
class AliasMove:
    """A move that happened (or had happened under the same request id, or would happen).

    Attributes:
        from_number: The version served before.
        to_number: The version served now.
        revision: Revision of the alias, for the next move's ``expected_revision``.
        verdict: What the gate had last said of a version that is promoted.
        override: Whether a person promoted it although that was HOLD or REJECT.
    """

    from_number: int
    to_number: int
    revision: int
    verdict: str | None = None
    override: bool = False


def served(session: Session, project_id: int) -> Served:
    """The version this project serves; there always is one."""
    found = _aliased(session, project_id, "served")
    if found is None:
        raise RegistryError("This project serves no version; its row is damaged.")
    return found


def candidate(session: Session, project_id: int) -> Served | None:
    """The newest version that waits for promotion: of the project's method, else of another."""
    return _aliased(session, project_id, "candidate")


def states(session: Session, project_id: int) -> dict[int, str]:
    """Version id -> its state, for those that have one.

    It is ``served``, else ``deleted``, ``condemned`` or ``archived``, else ``candidate``.
    """
    rows = session.scalars(select(Alias).where(Alias.project_id == project_id)).all()
    named = {row.version_id: row.name for row in rows if row.name == "candidate"}
    for version_id, mark in marks.marks_of(session, project_id).items():
        if mark.state:
            named[version_id] = mark.state
    return named | {row.version_id: row.name for row in rows if row.name == "served"}


def nominate(session: Session, project_id: int, method: str, version: AdapterVersion) -> None:
    """Point the lane's ``candidate`` at a version; part of the publishing commit."""
    alias = session.get(Alias, (project_id, "candidate", method))
    before = None
    if alias is None:
        alias = Alias(
            project_id=project_id, name="candidate", lane=method, version_id=version.id, revision=0
        )
        session.add(alias)
    else:
        before = session.get_one(AdapterVersion, alias.version_id).number
        alias.version_id, alias.revision = version.id, alias.revision + 1
    session.add(
        AliasChange(
            project_id=project_id,
            alias="candidate",
            from_version=before,
            to_version=version.number,
            actor="worker",
            reason=f"run {version.run_id} succeeded",
            outcome="nominated",
            revision=alias.revision,
        )
    )
    mark_dirty(session, project_id)
    session.flush()


def promote(
    session: Session,
    project_id: int,
    number: int,
    *,
    actor: str,
    reason: str,
    expected_revision: int | None = None,
    request_id: str | None = None,
    dry_run: bool = False,
) -> AliasMove:
    """Serve a version from now on, and write the audit row.

    A refusal leaves an audit row too, so it commits what the transaction wrote before.

    Args:
        session: An open write transaction.
        project_id: The project.
        number: The version to serve.
        actor: Who moves it.
        reason: Why; not blank.
        expected_revision: The alias revision the caller looked at; None takes the present one.
        request_id: Idempotency key: a repeated request gets the first answer, a refusal too.
        dry_run: Check everything, write nothing, and return the move as it would be.

    Raises:
        UnknownVersionError: If there is no such version.
        CondemnedError: If the version's files are deleted or soon will be.
        RegistryError: If the reason is blank or the version is served already.
        LostRaceError: If the alias moved since ``expected_revision``.
        RequestIdReusedError: If the request id was used for something else.
    """
    move = Move(project_id, "served", number, actor, reason, "promoted", request_id, dry_run)
    return _move(session, move, expected_revision)


def roll_back(
    session: Session,
    project_id: int,
    *,
    actor: str,
    reason: str,
    to: int | None = None,
    expected_revision: int | None = None,
    request_id: str | None = None,
    dry_run: bool = False,
) -> AliasMove:
    """Serve an earlier version again: ``to``, or the one served before this was promoted.

    Arguments and errors are those of :func:`promote`.

    Raises:
        NothingToRollBackError: If nothing was served before.
    """
    move = Move(project_id, "served", to, actor, reason, "rolled-back", request_id, dry_run)
    return _move(session, move, expected_revision)


def _move(session: Session, move: Move, expected_revision: int | None) -> AliasMove:
    if not move.dry_run:
        lock(session, move.project_id)  # the project's row first, as every writer does
    done = audit.repeated(session, move)
    if done is not None:
        return _answer(done)
    now = served(session, move.project_id)
    wanted = now.number if move.number is None else move.number
    with audit.refusals(session, move, number=wanted, revision=now.revision, before=now.number):
        audit.require_reason(move)
        target = row(session, move.project_id, _target(session, move))
        expected = now.revision if expected_revision is None else expected_revision
        if target.id == now.version_id and expected == now.revision:
            raise AlreadyServedError(
                f"Version {target.number} is served already; nothing was changed."
            )
        marks.refuse_condemned(session, target)
        verdict = _last_verdict(session, target) if move.outcome == "promoted" else None
        change = audit.row_of(
            move, number=target.number, revision=expected + 1, before=now.number, verdict=verdict
        )
        if move.dry_run and expected != now.revision:
            raise LostRaceError
        if not move.dry_run:
            _point(session, move.project_id, target, expected)
            session.add(change)
            session.flush()
    return _answer(change)


def _point(session: Session, project_id: int, target: AdapterVersion, expected: int) -> None:
    moving = (
        update(Alias)
        .where(Alias.project_id == project_id, Alias.name == "served", Alias.revision == expected)
        .values(version_id=target.id, revision=expected + 1)
    )
    if changed_rows(session, moving) == 0:
        raise LostRaceError
    request(session, target.id)
    mark_dirty(session, project_id)


def _target(session: Session, move: Move) -> int:
    number = previous_served(session, move.project_id) if move.number is None else move.number
    if number is None:
        raise NothingToRollBackError
    return number


def _answer(change: AliasChange) -> AliasMove:
    return AliasMove(
        from_number=change.from_version or 0,
        to_number=change.to_version,
        revision=change.revision,
        verdict=change.verdict,
        override=audit.overrode(change),
    )


def _last_verdict(session: Session, version: AdapterVersion) -> str | None:
    return session.scalar(
        select(Verdict.verdict)
        .where(Verdict.candidate_id == version.id)
        .order_by(Verdict.id.desc())
        .limit(1)
    )


def _waits(project_id: int) -> ColumnElement[bool]:
    """A candidate that was archived or condemned, or is served, waits for nothing."""
    serving = select(Alias.version_id).where(Alias.project_id == project_id, Alias.name == "served")
    return and_(
        VersionMark.archived_at.is_(None),
        VersionMark.condemned_at.is_(None),
        Alias.version_id.not_in(serving),
    )


def _aliased(session: Session, project_id: int, name: str) -> Served | None:
    project = by_id(session, project_id)
    found = session.execute(
        select(Alias, AdapterVersion)
        .join(AdapterVersion, AdapterVersion.id == Alias.version_id)
        .outerjoin(VersionMark, VersionMark.version_id == Alias.version_id)
        .where(Alias.project_id == project_id, Alias.name == name)
        .where(or_(Alias.name == "served", _waits(project_id)))
        .order_by(AdapterVersion.method != project.method, AdapterVersion.number.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    alias, version = found
    return Served(
        version_id=version.id,
        number=version.number,
        name=f"{project.ls_id}.{version.number}",
        method=version.method,
        artifact_digest=version.artifact_digest,
        base_digest=version.base_digest,
        revision=alias.revision,
    )
