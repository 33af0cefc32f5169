"""What people show instead of a password: a browser's session, a script's token; digests only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from model.registry import people
from model.registry.base import changed_rows
from model.registry.errors import PersonError
from model.registry.tables_admin import Person, PersonSession, PersonToken

IDLE = timedelta(hours=12)
"""A browser not used for so long has to log in again."""

OLDEST = timedelta(days=7)
"""So has every browser after this time, used or not."""

NOTED_EVERY = timedelta(minutes=1)
"""How often the last use of a session or token is written down at most."""

TOKEN_PREFIX = "nerloop_"  # noqa: S105 - what all tokens begin with, so that a leaked one is found
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun: what the browser keeps, and what its forms send back."""

    cookie: str = field(repr=False)
    csrf: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; its value is shown once and kept nowhere."""

    id: int
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who shows a valid session or token.

    Attributes:
        name: The person.
        role: ``viewer`` or ``admin``.
        project_id: The only project (its row) this person may see; None means all.
        csrf: What the session's forms must send back; None for tokens.
        is_noted: Whether the present use was written down recently enough.
    """

    name: str
    role: str
    project_id: int | None
    csrf: str | None = field(repr=False)
    is_noted: bool


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token in a list: everything but its value."""

    id: int
    person: str
    name: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def open_session(session: Session, name: str, compared: str, *, now: datetime) -> NewSession | None:
    """Begin a session for somebody whose password was right a moment ago.

    Args:
        session: An open write transaction.
        name: The person.
        compared: The stored form it was compared with.
        now: The present time.

    Returns:
        The session; None if the password changed meanwhile or the person was disabled.
    """
    stored = people.stored_password(session, name)
    if stored is None or not compare_digest(stored.encode(), compared.encode()):
        return None
    old = or_(PersonSession.seen_at <= now - IDLE, PersonSession.created_at <= now - OLDEST)
    session.execute(delete(PersonSession).where(old))
    new = NewSession(secrets.token_urlsafe(_RANDOM_BYTES), secrets.token_urlsafe(_RANDOM_BYTES))
    session.add(
        PersonSession(
            digest=_digest(new.cookie),
            person_id=people.known(session, name).id,
            csrf=new.csrf,
            created_at=now,
            seen_at=now,
        )
    )
    session.flush()
    return new


def session_holder(session: Session, cookie: str, *, now: datetime) -> Holder | None:
    """Whose session this cookie is; None if it is nobody's, too old, or idle for too long."""
    found = session.execute(
        select(PersonSession, Person)
        .join(Person, Person.id == PersonSession.person_id)
        .where(PersonSession.digest == _digest(cookie), Person.disabled_at.is_(None))
    ).first()
    if found is None:
        return None
    row, person = found
    if row.seen_at <= now - IDLE or row.created_at <= now - OLDEST:
        return None
    is_noted = row.seen_at > now - NOTED_EVERY
    return Holder(person.name, person.role, person.project_id, row.csrf, is_noted)


def note_session(session: Session, cookie: str, *, now: datetime) -> None:
    """Write down that a session is in use."""
    used = update(PersonSession).where(PersonSession.digest == _digest(cookie))
    changed_rows(session, used.values(seen_at=now))


def close_session(session: Session, cookie: str) -> None:
    """Log this browser out."""
    session.execute(delete(PersonSession).where(PersonSession.digest == _digest(cookie)))


def add_token(session: Session, person: str, name: str, *, now: datetime) -> NewToken:
    """Make a token that acts as a person.

    Args:
        session: An open write transaction.
        person: Whose it is.
        name: What it is for, in up to 80 characters.
        now: The present time.

    Raises:
        UnknownPersonError: If there is no such person.
        PersonError: If the name is blank or too long, or the person is disabled.
    """
    owner = people.known(session, person)
    name = name.strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise PersonError("Say in 1 to 80 characters what the token is for.")
    if owner.disabled_at is not None:
        raise PersonError(
            f"{owner.name} is disabled; `nerloop admin enable` lets a person in again."
        )
    value = TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    row = PersonToken(person_id=owner.id, name=name, digest=_digest(value), created_at=now)
    session.add(row)
    session.flush()
    return NewToken(row.id, value)


def token_holder(session: Session, value: str, *, now: datetime) -> Holder | None:
    """Whose token this is; None if it is nobody's or revoked, or its person disabled."""
    found = session.execute(
        select(PersonToken, Person)
        .join(Person, Person.id == PersonToken.person_id)
        .where(
            PersonToken.digest == _digest(value),
            PersonToken.revoked_at.is_(None),
            Person.disabled_at.is_(None),
        )
    ).first()
    if found is None:
        return None
    row, person = found
    is_noted = row.used_at is not None and row.used_at > now - NOTED_EVERY
    return Holder(person.name, person.role, person.project_id, None, is_noted)


def note_token(session: Session, value: str, *, now: datetime) -> None:
    """Write down that a token is in use."""
    used = update(PersonToken).where(PersonToken.digest == _digest(value))
    changed_rows(session, used.values(used_at=now))


def tokens(session: Session) -> list[TokenView]:
    """All tokens, revoked ones too, in the order they were made."""
    found = session.execute(
        select(PersonToken, Person.name)
        .join(Person, Person.id == PersonToken.person_id)
        .order_by(PersonToken.id)
    )
    return [
        TokenView(row.id, person, row.name, row.created_at, row.used_at, row.revoked_at)
        for row, person in found
    ]


def revoke_token(session: Session, token_id: int, *, now: datetime) -> None:
    """Make a token worthless from now on.

    Raises:
        PersonError: If there is no such token.
    """
    row = session.get(PersonToken, token_id)
    if row is None:
        raise PersonError(
            f"There is no token {token_id}; `nerloop admin token list` shows those that exist."
        )
    row.revoked_at = row.revoked_at or now


def _digest(value: str) -> str:
    # random in 256 bits, so a plain digest cannot be guessed back, unlike a password's
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
