"""The audit trail: one row for every change of an alias or a mark, refused ones too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.registry.errors import (
    AlreadyServedError,
    CondemnedError,
    KeptVersionError,
    LostRaceError,
    NoReasonError,
    NothingToRollBackError,
    RegistryError,
    RequestIdReusedError,
    UnknownVersionError,
)
from model.registry.tables_versions import AliasChange

GATE = "gate"
"""The actor of what the gate's verdict alone decided."""

REFUSED = "refused"
_KINDS = {
    kind.__name__: kind
    for kind in (
        AlreadyServedError,
        CondemnedError,
        KeptVersionError,
        LostRaceError,
        NoReasonError,
        NothingToRollBackError,
        UnknownVersionError,
    )
}


@dataclass(frozen=True, slots=True)
class Move:
    """A change somebody wants.

    Attributes:
        project_id: The project.
        alias: ``served``, or for marks ``pinned`` and ``archived``.
        number: The version it is about; None where it is still to be found.
        actor: Who wants it.
        reason: Why.
        outcome: What the audit calls it when it is done.
        request_id: Idempotency key.
        dry_run: Whether nothing is to be written.
    """

    project_id: int
    alias: str
    number: int | None
    actor: str
    reason: str
    outcome: str
    request_id: str | None = None
    dry_run: bool = False


def repeated(session: Session, move: Move) -> AliasChange | None:
    """The first answer to a request that was made before; None for a new one.

    Raises:
        RegistryError: The first answer again, if that was a refusal.
        RequestIdReusedError: If the request was about something else.
    """
    if move.request_id is None:
        return None
    done = session.scalar(
        select(AliasChange)
        .where(AliasChange.project_id == move.project_id, AliasChange.request_id == move.request_id)
        .order_by(AliasChange.id)
        .limit(1)
    )
    if done is None:
        return None
    same_version = move.number in (None, done.to_version)
    if done.alias != move.alias or done.outcome not in (move.outcome, REFUSED) or not same_version:
        raise RequestIdReusedError
    if done.outcome == REFUSED:
        raise _KINDS.get(done.refusal_kind or "", RegistryError)(done.refusal or "")
    return done


@contextmanager
def refusals(
    session: Session, move: Move, *, number: int, revision: int = 0, before: int | None = None
) -> Iterator[None]:
    """Keep a refusal of what is done inside as a row of the audit.

    The row stays although the request ends in an error, so this commits the transaction.

    Args:
        session: An open write transaction.
        move: What is wanted.
        number: The version to name.
        revision: Revision of the alias at this moment; 0 for marks.
        before: The version served at this moment; None for marks.
    """
    try:
        yield
    except RegistryError as error:
        if not move.dry_run:
            refused = replace(move, outcome=REFUSED)
            row = row_of(refused, number=number, revision=revision, before=before)
            row.refusal_kind, row.refusal = type(error).__name__, str(error)
            session.add(row)
            session.commit()
        raise


def require_reason(move: Move) -> None:
    """Refuse a change without a reason.

    Raises:
        NoReasonError: If the reason is blank.
    """
    if not move.reason.strip():
        raise NoReasonError


def row_of(
    move: Move,
    *,
    number: int,
    revision: int = 0,
    before: int | None = None,
    verdict: str | None = None,
) -> AliasChange:
    """The audit's row of a change, not yet added to any session.

    Args:
        move: What is done.
        number: The version.
        revision: Revision of the alias afterwards; 0 for marks.
        before: The version served before; None for marks.
        verdict: What the gate had last said of the version.
    """
    return AliasChange(
        project_id=move.project_id,
        alias=move.alias,
        from_version=before,
        to_version=number,
        actor=move.actor[:200],
        reason=move.reason.strip()[:2000],
        outcome=move.outcome,
        verdict=verdict,
        request_id=move.request_id,
        revision=revision,
    )


def history(session: Session, project_id: int) -> Sequence[AliasChange]:
    """The audit trail, newest first."""
    return session.scalars(
        select(AliasChange)
        .where(AliasChange.project_id == project_id)
        .order_by(AliasChange.id.desc())
    ).all()


def overrode(change: AliasChange) -> bool:
    """Whether a person promoted a version although the gate had said HOLD or REJECT."""
    against = change.verdict is not None and change.verdict != "PROMOTE"
    return change.outcome == "promoted" and against and change.actor != GATE
