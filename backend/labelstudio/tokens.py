"""Label Studio's two kinds of token, and where nerloop keeps the one it was given."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

from backend.labelstudio.errors import LabelStudioRefusedError, MissingTokenError
from backend.secret_values import Secret

ACCESS_SECONDS = 240.0
"""Access tokens live 300 s; they are renewed a minute earlier."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a project lives and with which token it is read."""

    url: str
    token: Secret


def is_personal(token: str) -> bool:
    """Whether it is a personal token (a JWT) and not a legacy one (40 hex digits)."""
    return token.count(".") == 2


class TokenAuth(httpx.Auth):
    """Signs requests: a legacy token directly, a personal one by access tokens made from it."""

    requires_response_body = True

    def __init__(self, url: str, token: Secret) -> None:
        self._refresh_url = f"{url}/api/token/refresh/"
        self._token = token
        self._personal = is_personal(token.reveal())
        self._access: Secret | None = None
        self._renew_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the header on; after a 401, once with a fresh access token."""
        if not self._personal:
            request.headers["Authorization"] = f"Token {self._token.reveal()}"
            yield request
            return
        if self._access is None or time.monotonic() >= self._renew_at:
            self._keep((yield self._refresh()))
        request.headers["Authorization"] = f"Bearer {self._header()}"
        answer = yield request
        if answer.status_code == 401:
            self._keep((yield self._refresh()))
            request.headers["Authorization"] = f"Bearer {self._header()}"
            yield request

    def _header(self) -> str:
        return self._access.reveal() if self._access else ""

    def _refresh(self) -> httpx.Request:
        return httpx.Request("POST", self._refresh_url, json={"refresh": self._token.reveal()})

    def _keep(self, answer: httpx.Response) -> None:
        try:
            access = answer.json().get("access") if answer.status_code == 200 else None
        except (ValueError, AttributeError):
            access = None
        if not isinstance(access, str):
            self._access = None
            raise LabelStudioRefusedError(refused(personal=True))
        self._access, self._renew_at = Secret(access), time.monotonic() + ACCESS_SECONDS


def refused(*, personal: bool, detail: str = "") -> str:
    """Why Label Studio says 401, and what to do about it."""
    if personal:
        return (
            "Label Studio refused the personal access token. It may be revoked or belong to "
            "another server: make a new one under Account & Settings > Personal Access Token, "
            "then run `nerloop connect` again."
        )
    if "legacy" in detail:
        return (
            "Label Studio refused the token: legacy tokens are switched off there (the default). "
            "Use a personal one from Account & Settings > Personal Access Token, or let an owner "
            "switch legacy tokens on under Organization > Access Token Settings."
        )
    return (
        "Label Studio refused the token. Copy it again from Account & Settings (a personal "
        "access token, or a legacy token of 40 characters), then run `nerloop connect` again."
    )


def save_connection(folder: Path, project_id: int, connection: Connection) -> None:
    """Keep a project's token in a file only its owner can read, whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = folder / f"{project_id}.json.partial"
    partial.unlink(missing_ok=True)
    body = json.dumps({"url": connection.url, "token": connection.token.reveal()})
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(_path(folder, project_id))


def load_connection(folder: Path, project_id: int) -> Connection:
    """The token kept for a project.

    Raises:
        MissingTokenError: If there is none, or the file cannot be read.
    """
    path = _path(folder, project_id)
    try:
        kept = json.loads(path.read_text("utf-8"))
        return Connection(str(kept["url"]), Secret(str(kept["token"])))
    except FileNotFoundError as error:
        raise MissingTokenError from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingTokenError(
            f"{path} cannot be read. Delete it and run `nerloop connect` for this project."
        ) from error


def forget_connection(folder: Path, project_id: int) -> None:
    """Delete a project's token."""
    _path(folder, project_id).unlink(missing_ok=True)


def _path(folder: Path, project_id: int) -> Path:
    return folder / f"{project_id:d}.json"
