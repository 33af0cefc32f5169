"""Every route of the app against a thousand wrong credentials of each kind."""

from __future__ import annotations

import ast
import base64
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from admin_people import Ask, add_person, app_of, begin_session, new_token, routes_below, send_all
from backend.app import create_app
from backend.auth import COOKIE
from backend.secret_values import Secret
from backend.settings import BasicAuth, Settings
from capitals_engine import CapitalsEngine
from model.registry.session import Database

ROOT = Path(__file__).parents[2]
EACH = 1_000
USER, PASSWORD = "label-studio", "pässwörd-17-horses"
OPEN = ("/admin/login", "/admin/static")
"""What everybody may see, said here once more."""

HOST_TOKEN = "adm1n-t0ken-of-the-tests"


@pytest.fixture
def locked(settings: Settings, engine: CapitalsEngine, registry: Database) -> Iterator[TestClient]:
    """The app with every lock shut: Basic auth, the host's token, and one admin."""
    add_person(registry, "Ada")
    closed = replace(settings, basic_auth=BasicAuth(USER, Secret(PASSWORD)))
    app = create_app(closed, open_engine=lambda method: engine)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def near(draw: random.Random, right: str) -> str:
    """Something very like the right one."""
    place = draw.randrange(len(right))
    return draw.choice(
        (
            right[:place],
            right + draw.choice("xX0"),
            right[:place] + draw.choice("!~") + right[place + 1 :],
            right.swapcase(),
            " " + right[1:],
            right[::-1],
        )
    )


def credentials(
    draw: random.Random, rights: tuple[str, ...]
) -> dict[str, Callable[[], bytes | None]]:
    """Makes a wrong ``Authorization`` header, or cookie, of each kind."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def noise(low: int, high: int, size: int) -> bytes:
        return bytes(draw.randrange(low, high) for _ in range(size))

    def bad() -> bytes:
        wrong = base64.b64encode(near(draw, f"{USER}:{PASSWORD}").encode())
        scheme = draw.choice((b"Basic ", b"Digest ", b"Token ", b"basic", b""))
        return scheme + draw.choice((wrong, noise(33, 127, draw.randrange(60))))

    def bearer() -> bytes:
        wrong = near(draw, draw.choice(rights)) if draw.random() < 0.95 else pair
        return draw.choice((b"Bearer ", b"bearer ", b"Bearer  ")) + wrong.encode()

    def not_ascii() -> bytes:
        return draw.choice((b"Basic ", b"Bearer ", b"")) + noise(128, 256, draw.randrange(1, 80))

    def long() -> bytes:
        start = draw.choice((b"Basic ", b"Bearer ", b"", f"Bearer {rights[0]}".encode()))
        return start + noise(48, 58, 1) * 10_000

    return {
        "none": lambda: None,
        "bad": bad,
        "bearer": bearer,
        "not-ascii": not_ascii,
        "ten-kilobytes": long,
    }


@pytest.mark.parametrize("kind", ["none", "bad", "bearer", "not-ascii", "ten-kilobytes"])
def test_whatever_is_presented_no_route_opens(
    locked: TestClient, registry: Database, kind: str
) -> None:
    draw = random.Random(kind)
    rights = (HOST_TOKEN, new_token(registry, "Ada"), begin_session(registry, "Ada").cookie)
    make = credentials(draw, rights)[kind]
    routes = [
        (method, re.sub(r"\{[^}]*\}", "1", path))
        for method, path in routes_below(app_of(locked), "")
        if not any(f"{path}/".startswith(f"{place}/") for place in OPEN)
    ]
    routes += [("GET", "/nothing"), ("GET", "/admin/nothing"), ("PUT", "/admin/api/nothing")]
    assert len(routes) > 25
    asked = []
    for _, (method, path) in zip(range(max(EACH, len(routes))), cycle(routes), strict=False):
        given = make()
        name = b"authorization"
        if given is not None and path.startswith("/admin") and "/api" not in path:
            name, given = b"cookie", f"{COOKIE}=".encode() + given.split(b" ")[-1]
        asked.append(Ask(method, path, headers=() if given is None else ((name, given),)))
    for ask, got in zip(asked, send_all(app_of(locked), asked), strict=True):
        if ask.path.startswith("/admin") and not ask.path.startswith("/admin/api"):
            assert (got.status, got.headers["location"].partition("?")[0]) == (303, "/admin/login")
        else:
            assert got.status == 401, (ask, got)
            assert got.headers["www-authenticate"]


def test_the_right_ones_do_open(locked: TestClient, registry: Database) -> None:
    """Otherwise the test above would pass on an app that refuses everybody."""
    new = begin_session(registry, "Ada")
    bearers = [
        (b"authorization", f"Bearer {it}".encode())
        for it in (HOST_TOKEN, new_token(registry, "Ada"))
    ]
    basic = (b"authorization", b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()))
    page = (b"cookie", f"{COOKIE}={new.cookie}".encode())
    asked = [Ask("GET", "/admin/api/projects", headers=(bearer,)) for bearer in bearers]
    asked += [Ask("GET", "/health", headers=(basic,)), Ask("GET", "/admin", headers=(page,))]
    assert [got.status for got in send_all(app_of(locked), asked)] == [200, 200, 200, 200]


def test_what_is_open_to_everybody_is_the_login_page_and_its_files(locked: TestClient) -> None:
    asked = [
        Ask("GET", path)
        for path in (
            "/admin/login",
            "/admin/static/../api/projects",
            "/admin/static/%2e%2e/api/projects",
            "/admin/login/../projects/1",
            "/admin/loginx",
            "//admin/api/projects",
            "/Admin/api/projects",
            "/admin/api",
            "/admin/",
        )
    ]
    found = send_all(app_of(locked), asked)
    assert found[0].status == 200
    assert {got.status for got in found[1:]} <= {303, 401, 404}
    assert b"garden" not in b"".join(got.body for got in found)
    quoted = quote("/admin", safe="")
    assert send_all(app_of(locked), [Ask("GET", f"/admin/login?next={quoted}")])[0].status < 500


SECRETS = re.compile(r"(?i)(secret|passw|csrf|cookie|(^|_)token(_value)?$)")
LOOKED_UP = {"PersonSession.digest", "PersonToken.digest"}
"""Columns compared by SQL, with the SHA-256 of what was presented: its time tells nothing."""


def _names(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name):
            yield part.id


def test_no_secret_is_compared_with_equals_signs_anywhere() -> None:
    """Wherever a name says secret, password, token, cookie or csrf, `==` and `in` are refused."""
    places = [*(ROOT / "backend").rglob("*.py"), *(ROOT / "model" / "registry").rglob("*.py")]
    found = []
    for path in places:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Compare):
                continue
            if not any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops):
                continue
            sides = (node.left, *node.comparators)
            if any(isinstance(side, ast.Constant) for side in sides):
                continue  # a kind or an emptiness, nothing that was presented
            if LOOKED_UP & {ast.unparse(side) for side in sides}:
                continue
            names = {name for side in sides for name in _names(side)}
            if any(SECRETS.search(name) for name in names):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize(
    "name",
    [
        "backend/auth.py",
        "backend/identity.py",
        "backend/secret_values.py",
        "backend/routes/login.py",
        "model/registry/passwords.py",
        "model/registry/credentials.py",
    ],
)
def test_where_secrets_meet_they_are_compared_in_constant_time(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    calls = {
        name for node in ast.walk(tree) if isinstance(node, ast.Call) for name in _names(node.func)
    }
    assert "compare_digest" in calls
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq) for op in node.ops):
            sides = {ast.unparse(side) for side in (node.left, *node.comparators)}
            digests = {side for side in sides if "digest" in side}
            assert not digests or sides & LOOKED_UP, ast.unparse(node)
