"""Aliases: `served` and `candidate`, moved by compare-and-set, every move in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from model.registry.base import changed_rows
from model.registry.errors import (
    LostRaceError,
    NothingToRollBackError,
    RegistryError,
    UnknownVersionError,
)
from model.registry.predictions import request
from model.registry.projects import by_id, mark_dirty
from model.registry.tables_versions import AdapterVersion, Alias, AliasChange

Action = Literal["promoted", "rolled-back"]


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
    """A move that happened (or had happened under the same request id)."""

    from_number: int
    to_number: int
    revision: int


def served(session: Session, project_id: int) -> Served:
    """The version this project serves; there always is one."""
    found = _aliased(session, project_id, "served")
    if found is None:
        raise RegistryError("This project serves no version; its row is damaged.")
    return found


def candidate(session: Session, project_id: int) -> Served | None:
    """The newest version that waits for promotion, if it is not the served one."""
    found = _aliased(session, project_id, "candidate")
    if found is None or found.version_id == served(session, project_id).version_id:
        return None
    return found


def states(session: Session, project_id: int) -> dict[int, str]:
    """Version id -> ``served`` or ``candidate``, for those an alias names."""
    rows = session.scalars(select(Alias).where(Alias.project_id == project_id)).all()
    named = {row.version_id: row.name for row in rows if row.name == "candidate"}
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
    outcome: Action = "promoted",
) -> AliasMove:
    """Serve a version from now on, and write the audit row.

    A lost race leaves an audit row too, so the caller must commit before it reports the error: see
    :class:`LostRaceError`, which carries nothing of the session.

    Args:
        session: An open write transaction.
        project_id: The project.
        number: The version to serve.
        actor: Who moves it.
        reason: Why; not blank.
        expected_revision: The alias revision the caller looked at; None takes the present one.
        request_id: Idempotency key: a repeated request returns the first answer.
        outcome: What the audit calls it.

    Raises:
        UnknownVersionError: If there is no such version.
        RegistryError: If the reason is blank or the version is served already.
        LostRaceError: If the alias moved since ``expected_revision``.
    """
    repeated = _repeated(session, project_id, request_id)
    if repeated is not None:
        return repeated
    if not reason.strip():
        raise RegistryError("A reason is required: it is what the audit trail keeps.")
    now = served(session, project_id)
    target = session.scalar(
        select(AdapterVersion).where(
            AdapterVersion.project_id == project_id, AdapterVersion.number == number
        )
    )
    if target is None:
        raise UnknownVersionError(
            f"There is no version {number} in this project; `nerloop versions list` shows them."
        )
    if target.id == now.version_id and expected_revision in (None, now.revision):
        raise RegistryError(f"Version {number} is served already; nothing was changed.")
    expected = now.revision if expected_revision is None else expected_revision
    change = AliasChange(
        project_id=project_id,
        alias="served",
        from_version=now.number,
        to_version=number,
        actor=actor[:200],
        reason=reason.strip()[:2000],
        outcome=outcome,
        request_id=request_id,
        revision=expected + 1,
    )
    moving = (
        update(Alias)
        .where(Alias.project_id == project_id, Alias.name == "served", Alias.revision == expected)
        .values(version_id=target.id, revision=expected + 1)
    )
    if changed_rows(session, moving) == 0:
        change.outcome, change.revision = "refused", now.revision
        session.add(change)
        session.commit()  # the refusal stays in the audit although the request ends in an error
        raise LostRaceError
    session.add(change)
    request(session, target.id)
    mark_dirty(session, project_id)
    session.flush()
    return AliasMove(now.number, number, expected + 1)


def roll_back(
    session: Session,
    project_id: int,
    *,
    actor: str,
    reason: str,
    to: int | None = None,
    expected_revision: int | None = None,
    request_id: str | None = None,
) -> AliasMove:
    """Serve an earlier version again: ``to``, or the one served before this was promoted.

    Raises:
        NothingToRollBackError: If nothing was served before.
    """
    repeated = _repeated(session, project_id, request_id)
    if repeated is not None:
        return repeated
    target = to if to is not None else _previous(session, project_id)
    return promote(
        session,
        project_id,
        target,
        actor=actor,
        reason=reason,
        expected_revision=expected_revision,
        request_id=request_id,
        outcome="rolled-back",
    )


def history(session: Session, project_id: int) -> Sequence[AliasChange]:
    """The audit trail, newest first."""
    return session.scalars(
        select(AliasChange)
        .where(AliasChange.project_id == project_id)
        .order_by(AliasChange.id.desc())
    ).all()


def _previous(session: Session, project_id: int) -> int:
    now = served(session, project_id).number
    before = session.scalar(
        select(AliasChange.from_version)
        .where(
            AliasChange.project_id == project_id,
            AliasChange.alias == "served",
            AliasChange.outcome == "promoted",
            AliasChange.to_version == now,
        )
        .order_by(AliasChange.id.desc())
        .limit(1)
    )
    if before is None:
        raise NothingToRollBackError
    return before


def _repeated(session: Session, project_id: int, request_id: str | None) -> AliasMove | None:
    if request_id is None:
        return None
    done = session.scalar(
        select(AliasChange)
        .where(
            AliasChange.project_id == project_id,
            AliasChange.request_id == request_id,
            AliasChange.outcome != "refused",
        )
        .limit(1)
    )
    if done is None:
        return None
    return AliasMove(done.from_version or 0, done.to_version, done.revision)


def _aliased(session: Session, project_id: int, name: str) -> Served | None:
    found = session.execute(
        select(Alias, AdapterVersion)
        .join(AdapterVersion, AdapterVersion.id == Alias.version_id)
        .where(Alias.project_id == project_id, Alias.name == name)
        .order_by(AdapterVersion.number.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    alias, version = found
    return Served(
        version_id=version.id,
        number=version.number,
        name=f"{by_id(session, project_id).ls_id}.{version.number}",
        method=version.method,
        artifact_digest=version.artifact_digest,
        base_digest=version.base_digest,
        revision=alias.revision,
    )
