"""The demo's admin: a person with a random password, made once, kept in a file of mode 0600."""

from __future__ import annotations

import secrets

from backend.launch.errors import HomeError
from backend.launch.home import Home
from backend.launch.secrets import DEMO_ADMIN, write_private
from model.registry import passwords, people
from model.registry.session import Database

FILE = "first-admin.password"


def ensure_first_admin(home: Home, database: Database) -> str | None:
    """Make the demo's admin if nobody was added to this home yet.

    Args:
        home: Whose secrets keep the password.
        database: The registry, with all its tables.

    Returns:
        The password, or None if there is no such person, or it has another password by now.

    Raises:
        HomeError: If the file with the password cannot be read.
    """
    path = home.secrets / FILE
    with database.read() as session:
        is_first = not people.every(session)
        stored = people.stored_password(session, DEMO_ADMIN)
    if is_first:
        password = secrets.token_urlsafe(12)
        sealed = passwords.sealed(password)
        # the file first: a person whose password nobody knows would be of no use
        write_private(path, password + "\n")
        with database.begin() as session:
            people.add(session, DEMO_ADMIN, sealed, role="admin")
        return password
    try:
        kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(
            f"{path} cannot be read. Delete it and run `nerloop admin password {DEMO_ADMIN}`."
        ) from error
    return kept if kept and passwords.matches(kept, stored) else None
