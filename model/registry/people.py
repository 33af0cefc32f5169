"""People: who may look at versions and who may decide, everywhere or in one project."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from model.registry.errors import PersonError, UnknownPersonError
from model.registry.passwords import SealedPassword
from model.registry.tables import Project
from model.registry.tables_admin import Person, PersonSession

ROLES = ("viewer", "admin")
RESERVED = (
    "admin-api",
    "worker",
    "gate",
    "courier",
    "sweeper",
    "command line",
    "retention",
    "bench promotion",
)
"""Names the audit uses for programs."""

_NAME = re.compile(r"\w[\w.@+ -]{0,78}[\w.@+-]|\w")


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody, without the password.

    Attributes:
        id: The person's row.
        name: What the audit calls this person.
        role: ``viewer`` or ``admin``.
        project_id: The only project (its row) this person may see; None means all.
        project: That project's number in Label Studio.
        disabled_at: Since when this person may do nothing; None for active people.
        created_at: When the person was added.
    """

    id: int
    name: str
    role: str
    project_id: int | None
    project: int | None
    disabled_at: datetime | None
    created_at: datetime


def add(
    session: Session,
    name: str,
    password: SealedPassword,
    *,
    role: str,
    project_id: int | None = None,
) -> PersonView:
    """Add somebody.

    Args:
        session: An open write transaction.
        name: Shown in the audit; letters, digits, inner spaces and ``. _ @ + -``.
        password: The sealed password.
        role: ``viewer`` or ``admin``.
        project_id: The only project (its row) to see; None for all.

    Raises:
        PersonError: If the name is taken (upper and lower case are the same), cannot be used, or
            the role is unknown.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not _NAME.fullmatch(name):
        raise PersonError(
            "A name has 1 to 80 letters or digits, with spaces and . _ @ + - between them."
        )
    if name.casefold() in RESERVED:
        raise PersonError(f"{name} is what the audit calls a program; choose another name.")
    if role not in ROLES:
        raise PersonError(f"There is no role {role!r}; choose one of {', '.join(ROLES)}.")
    if _found(session, name) is not None:
        raise PersonError(
            f"There is a person called {name} already. `nerloop admin password` gives a new "
            "password, `nerloop admin enable` lets a disabled person in again."
        )
    row = Person(name=name, password=password.stored, role=role, project_id=project_id)
    session.add(row)
    session.flush()
    return _view(session, row)


def every(session: Session) -> list[PersonView]:
    """Everybody, disabled people too, in the order they were added."""
    rows = session.scalars(select(Person).order_by(Person.id)).all()
    return [_view(session, row) for row in rows]


def by_name(session: Session, name: str) -> PersonView:
    """The person of this name, upper and lower case being the same.

    Raises:
        UnknownPersonError: If there is none.
    """
    return _view(session, known(session, name))


def set_password(session: Session, name: str, password: SealedPassword) -> PersonView:
    """Give a new password; every browser this person was logged in with is logged out.

    Raises:
        UnknownPersonError: If there is no such person.
    """
    row = known(session, name)
    row.password = password.stored
    end_sessions(session, row.id)
    return _view(session, row)


def disable(session: Session, name: str, *, now: datetime) -> PersonView:
    """Let this person in no more, neither by browser nor by token; the rows stay for the audit.

    Raises:
        UnknownPersonError: If there is no such person.
    """
    row = known(session, name)
    row.disabled_at = row.disabled_at or now
    end_sessions(session, row.id)
    return _view(session, row)


def enable(session: Session, name: str) -> PersonView:
    """Let a disabled person in again; tokens that were not revoked work again too.

    Raises:
        UnknownPersonError: If there is no such person.
    """
    row = known(session, name)
    row.disabled_at = None
    session.flush()
    return _view(session, row)


def known(session: Session, name: str) -> Person:
    """The row of the person of this name.

    Raises:
        UnknownPersonError: If there is none.
    """
    row = _found(session, name)
    if row is None:
        raise UnknownPersonError(
            f"There is no person called {name}; `nerloop admin list` shows those that exist."
        )
    return row


def stored_password(session: Session, name: str) -> str | None:
    """What :func:`passwords.matches` compares with; None if nobody of that name may log in."""
    row = _found(session, name)
    return None if row is None or row.disabled_at is not None else row.password


def end_sessions(session: Session, person_id: int) -> None:
    """Log a person out everywhere."""
    session.execute(delete(PersonSession).where(PersonSession.person_id == person_id))
    session.flush()


def _found(session: Session, name: str) -> Person | None:
    wanted = unicodedata.normalize("NFC", name.strip()).casefold()
    # few rows, and no database folds case as Python does
    rows = session.scalars(select(Person)).all()
    return next((row for row in rows if row.name.casefold() == wanted), None)


def _view(session: Session, row: Person) -> PersonView:
    project = None if row.project_id is None else session.get_one(Project, row.project_id)
    return PersonView(
        id=row.id,
        name=row.name,
        role=row.role,
        project_id=row.project_id,
        project=None if project is None else project.ls_id,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
    )
