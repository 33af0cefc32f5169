"""Logging in and recognising who comes back: the browser's cookie, the script's token."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import cast

from anyio import CapacityLimiter

from backend.identity import Caller, Role
from model.registry import credentials, people
from model.registry.credentials import TOKEN_PREFIX, Holder, NewSession
from model.registry.errors import RegistryError
from model.registry.passwords import matches
from model.registry.session import Database

FREE_BY_NAME = 5
"""Failed logins under one name that cost nothing."""

FREE_BY_ADDRESS = 20
"""Failed logins from one address that cost nothing; several people may share it."""

LONGEST_WAIT = 300.0
"""Seconds that a further attempt has to wait at most."""

FORGOTTEN_AFTER = 3_600.0
"""Seconds after which failures are forgotten."""

MOST_REMEMBERED = 10_000

HASHING = 2
"""Passwords hashed at the same time; each takes 32 MiB and a core."""


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


class LoginBrake:
    """Slows guessing down: from some failures on, each one doubles the wait for the next attempt.

    An attempt counts as failed from its beginning until it succeeds, so a thousand at the same
    moment are one thousand failures. Kept in the process: a restart forgets, and several web
    processes count each for itself.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()

    def attempt(self, name: str, address: str) -> float:
        """Begin an attempt.

        Args:
            name: As typed.
            address: Where it comes from.

        Returns:
            Seconds to wait first; at 0 the attempt may go on, and counts as failed until
            :meth:`forgive`.
        """
        name, now = _short(name), self._clock()
        with self._lock:
            keys = [(("address", address), FREE_BY_ADDRESS)]
            # who was let in from there before is not locked out by a stranger's guesses elsewhere
            if (name, address) not in self._welcome:
                keys.append((("name", name), FREE_BY_NAME))
            wait = max(self._wait(key, free, now) for key, free in keys)
            if wait <= 0:
                for key, _ in keys:
                    self._count(key, now)
        return wait

    def forgive(self, name: str, address: str) -> None:
        """The attempt succeeded: nothing of it counts, nor what went before it under this name."""
        name = _short(name)
        with self._lock:
            self._failures.pop(("name", name), None)
            from_there = self._failures.get(("address", address))
            if from_there is not None:
                from_there.count = max(0, from_there.count - 1)
            self._welcome[name, address] = None
            self._welcome.move_to_end((name, address))
            while len(self._welcome) > MOST_REMEMBERED:
                self._welcome.popitem(last=False)

    def _wait(self, key: tuple[str, str], free: int, now: float) -> float:
        kept = self._failures.get(key)
        if kept is None or now - kept.last > FORGOTTEN_AFTER:
            self._failures.pop(key, None)
            return 0.0
        if kept.count < free:
            return 0.0
        pause = min(2.0 ** min(kept.count - free, 20), LONGEST_WAIT)
        return kept.last + pause - now

    def _count(self, key: tuple[str, str], now: float) -> None:
        kept = self._failures.setdefault(key, _Failures())
        kept.count, kept.last = kept.count + 1, now
        self._failures.move_to_end(key)
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)


class Doorman:
    """Knows people by their cookie, their token or their password; everything here blocks.

    Args:
        database: The registry.
        now: Tells the present time.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    def by_cookie(self, cookie: str) -> Caller | None:
        """Whose session this is, if anybody's."""
        now = self._now()
        with self._database.read() as session:
            holder = credentials.session_holder(session, cookie, now=now)
        if holder is not None and not holder.is_noted:
            with suppress(RegistryError), self._database.begin() as session:
                credentials.note_session(session, cookie, now=now)
        return _caller(holder)

    def by_token(self, value: str) -> Caller | None:
        """Whose token this is, if anybody's."""
        if not value.startswith(TOKEN_PREFIX):
            return None
        now = self._now()
        with self._database.read() as session:
            holder = credentials.token_holder(session, value, now=now)
        if holder is not None and not holder.is_noted:
            with suppress(RegistryError), self._database.begin() as session:
                credentials.note_token(session, value, now=now)
        return _caller(holder)

    def log_in(self, name: str, password: str) -> NewSession | None:
        """A session for somebody whose name and password are right, else None.

        Takes a noticeable time whoever is named.
        """
        with self._database.read() as session:
            stored = people.stored_password(session, name)
        # hashing takes long, so no transaction is open meanwhile
        if not matches(password, stored) or stored is None:
            return None
        with self._database.begin() as session:
            return credentials.open_session(session, name, stored, now=self._now())

    def is_known(self, name: str) -> bool:
        """Whether somebody of this name may log in; for the log, never for the visitor."""
        with self._database.read() as session:
            return people.stored_password(session, name) is not None

    def knows_nobody(self) -> bool:
        """Whether no person was added yet."""
        with self._database.read() as session:
            return not people.every(session)

    def log_out(self, cookie: str) -> None:
        """End this session."""
        with self._database.begin() as session:
            credentials.close_session(session, cookie)


@dataclass(frozen=True)
class Entrance:
    """What the gatekeeper and the login page share."""

    doorman: Doorman
    brake: LoginBrake
    hashing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(HASHING))


def _caller(holder: Holder | None) -> Caller | None:
    if holder is None:
        return None
    return Caller(holder.name, cast("Role", holder.role), holder.project_id, holder.csrf)


def _short(name: str) -> str:
    return name.strip()[:80].casefold()
