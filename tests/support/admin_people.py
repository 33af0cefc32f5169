"""People of the admin side in tests: cheap passwords, logins, tokens, and requests as sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from backend.auth import COOKIE
from model.registry import credentials, people
from model.registry.base import utc_now
from model.registry.passwords import Cost, SealedPassword, sealed
from model.registry.session import Database

PASSWORD = "correct horse battery staple"
QUICK = Cost(n=16, r=1, p=1)


def quick(password: str = PASSWORD) -> SealedPassword:
    """A sealed password that costs a guesser nothing, and a test no time."""
    return sealed(password, cost=QUICK)


def add_person(
    database: Database, name: str, role: str = "admin", project_id: int | None = None
) -> None:
    """Somebody with :data:`PASSWORD`."""
    with database.begin() as session:
        people.add(session, name, quick(), role=role, project_id=project_id)


def new_token(database: Database, name: str) -> str:
    """A new token of a person."""
    with database.begin() as session:
        return credentials.add_token(session, name, "for a test", now=utc_now()).value


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A browser's session: its cookie, and what its forms send back."""

    cookie: str
    csrf: str


def begin_session(database: Database, name: str) -> LoggedIn:
    """A session of a person without the login page."""
    with database.begin() as session:
        stored = people.stored_password(session, name) or ""
        new = credentials.open_session(session, name, stored, now=utc_now())
    assert new is not None, f"{name} may not log in"
    return LoggedIn(new.cookie, new.csrf)


def log_in(client: TestClient, database: Database, name: str) -> str:
    """Give a client the session of a person; returns what its forms must send as ``csrf``."""
    new = begin_session(database, name)
    client.cookies.set(COOKIE, new.cookie, path="/admin")
    return new.csrf


def app_of(client: TestClient) -> FastAPI:
    """The app a client talks to."""
    return cast("FastAPI", client.app)


def routes_below(app: FastAPI, prefix: str) -> list[tuple[str, str]]:
    """(method, path with its parameters) of every route below a prefix, GET for HEAD."""
    return sorted(
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        if route.path is not None and f"{route.path}/".startswith(f"{prefix}/")
        for method in route.methods or {"GET"}
        if method != "HEAD"
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer, as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """A request exactly as it goes over the wire: no client puts its path in order."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


def send_all(app: FastAPI, asked: Iterable[Ask]) -> list[Sent]:
    """Send requests one after the other, without a client between."""

    async def all_of_them() -> list[Sent]:
        return [await _send(app, ask) for ask in asked]

    return asyncio.run(all_of_them())


async def _send(app: FastAPI, ask: Ask) -> Sent:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": ask.method,
        "scheme": "http",
        # what a server hands on: percent-encoding undone, dots left alone
        "path": unquote(ask.path, errors="replace"),
        "raw_path": ask.path.encode("latin-1", "replace"),
        "query_string": ask.query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(b"host", b"testserver"), *ask.headers],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "state": {},
    }
    got: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": ask.body, "more_body": False}

    async def send(message: Any) -> None:
        got.append(message)

    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in got[0]["headers"]}
    return Sent(got[0]["status"], headers, b"".join(part.get("body", b"") for part in got[1:]))
