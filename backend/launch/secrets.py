"""Passwords and tokens of the local programs: made once, kept in files of mode 0600."""

from __future__ import annotations

import json
import os
import secrets as random_secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from backend.launch.errors import HomeError
from backend.launch.home import Home

DEMO_USER = "admin@example.com"
DEMO_ADMIN = "admin"
"""Who may log in to the demo's admin pages."""

_AUTH_VARIABLES = (
    "BASIC_AUTH_USER",
    "BASIC_AUTH_PASS",
    "ML_SERVER_BASIC_AUTH_USER",
    "ML_SERVER_BASIC_AUTH_PASS",
)


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    """What the programs of one home authenticate each other with.

    Attributes:
        auth_user: Basic-auth user Label Studio presents to the backend.
        auth_pass: Its password.
        admin_token: Bearer token of ``/admin/api``.
        redis_password: Password of the embedded Redis.
        label_studio_password: Password of the demo's user.
        label_studio_token: API token of the demo's user.
    """

    auth_user: str = "label-studio"
    auth_pass: str = field(default="", repr=False)
    admin_token: str = field(default="", repr=False)
    redis_password: str = field(default="", repr=False)
    label_studio_password: str = field(default="", repr=False)
    label_studio_token: str = field(default="", repr=False)


def _new() -> LocalSecrets:
    return LocalSecrets(
        auth_pass=random_secrets.token_urlsafe(24),
        admin_token=random_secrets.token_urlsafe(32),
        redis_password=random_secrets.token_urlsafe(24),
        label_studio_password=random_secrets.token_urlsafe(9),
        label_studio_token=random_secrets.token_hex(20),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)


def read_secrets(home: Home) -> LocalSecrets | None:
    """The secrets kept in a home, or None if it has none yet.

    Raises:
        HomeError: If the file is damaged.
    """
    path = home.secrets / "services.json"
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name for item in fields(LocalSecrets)}
        kept = LocalSecrets(**{name: str(stored[name]) for name in known})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"{path} cannot be read. Delete it to have new passwords made; Label Studio's demo "
            f"data under {home.label_studio} then has to be deleted too."
        ) from error
    return kept


def ensure_secrets(home: Home) -> LocalSecrets:
    """The secrets of a home, made on the first start and the same ever after.

    Raises:
        HomeError: If the file is damaged.
    """
    kept = read_secrets(home)
    if kept is None:
        kept = _new()
        write_private(home.secrets / "services.json", json.dumps(asdict(kept), indent=1))
    # backend.settings reads this file; a person may have put a token of their own there
    token_file = home.secrets / "admin.token"
    if not token_file.exists() or not token_file.read_text(encoding="utf-8").strip():
        write_private(token_file, kept.admin_token + "\n")
    return kept


def basic_auth(secrets: LocalSecrets, environ: Mapping[str, str]) -> dict[str, str]:
    """The Basic-auth variables of this home; empty if the environment brings a pair of its own."""
    if any(environ.get(name) for name in _AUTH_VARIABLES):
        return {}
    return {"BASIC_AUTH_USER": secrets.auth_user, "BASIC_AUTH_PASS": secrets.auth_pass}
