"""Who is let in, and that every comparison with a secret takes constant time."""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.secret_values import Secret
from backend.settings import BasicAuth, Settings
from capitals_engine import CapitalsEngine
from recorded import capture

USER, PASSWORD, TOKEN = "label-studio", "pässwörd-17-horses", "adm1n-t0ken-of-the-tests"


def basic(pair: str) -> bytes:
    return b"Basic " + base64.b64encode(pair.encode())


WRONG: dict[str, bytes] = {
    "empty": b"",
    "bearer": b"Bearer abc",
    "right-pair-as-bearer": b"Bearer " + base64.b64encode(f"{USER}:{PASSWORD}".encode()),
    "admin-token": f"Bearer {TOKEN}".encode(),
    "broken-base64": b"Basic %%%",
    "half-base64": b"Basic YWI",
    "not-ascii": "Basic pässwörd".encode(),
    "raw-bytes": b"Basic \xff\xfe\xfd",
    "no-colon": b"Basic " + base64.b64encode(b"label-studio"),
    "wrong-user": basic(f"x:{PASSWORD}"),
    "wrong-password": basic(f"{USER}:x"),
    "empty-password": basic(f"{USER}:"),
    "prefix": basic(f"{USER}:{PASSWORD[:-1]}"),
    "suffix": basic(f"{USER}:{PASSWORD}x"),
    "not-utf8": b"Basic " + base64.b64encode(b"label-studio:\xff\xfe"),
    "ten-kilobytes": b"Basic " + b"A" * 10_000,
    "ten-kilobytes-bearer": b"Bearer " + b"A" * 10_000,
    "nothing-after": b"Basic",
    "two-schemes": b"Basic Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()),
}


@pytest.fixture
def locked(settings: Settings, engine: CapitalsEngine) -> Iterator[TestClient]:
    closed = replace(settings, basic_auth=BasicAuth(USER, Secret(PASSWORD)))
    app = create_app(closed, open_engine=lambda method: engine)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/health", "/setup", "/predict", "/webhook", "/metrics"])
def test_without_credentials_every_route_of_the_ml_api_says_401(
    locked: TestClient, path: str
) -> None:
    answer = locked.request("POST" if path in ("/setup", "/predict", "/webhook") else "GET", path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (path, name)
        for path in ("/health", "/admin/api/projects")
        for name in WRONG
        if (path, name) != ("/admin/api/projects", "admin-token")
    ],
)
def test_wrong_credentials_are_401_and_never_500(locked: TestClient, name: str, path: str) -> None:
    answer = locked.get(path, headers={b"Authorization": WRONG[name]})
    assert answer.status_code == 401, answer.text
    assert "WWW-Authenticate" in answer.headers


def test_right_credentials_open_the_ml_api_but_not_the_admin_api(locked: TestClient) -> None:
    right = {b"Authorization": basic(f"{USER}:{PASSWORD}")}
    assert locked.get("/health", headers=right).json()["status"] == "UP"
    assert locked.get("/admin/api/projects", headers=right).status_code == 401
    body = capture("11")["requests_to_backend"][-1]["body"]
    assert locked.post("/webhook", json=body, headers=right).status_code == 201


def test_the_admin_token_opens_the_admin_api_only(locked: TestClient) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.get("/admin/api/projects", headers=right).status_code == 200
    assert locked.get("/health", headers=right).status_code == 401


def test_without_an_admin_token_the_admin_api_is_closed_and_says_how_to_open_it(
    settings: Settings, engine: CapitalsEngine
) -> None:
    app = create_app(replace(settings, admin_token=None), open_engine=lambda method: engine)
    with TestClient(app) as client:
        answer = client.get("/admin/api/projects", headers={"Authorization": "Bearer "})
    assert answer.status_code == 401
    assert "NERLOOP_ADMIN_TOKEN" in answer.json()["fix"]


def test_no_secret_is_compared_with_equals_signs() -> None:
    """Secrets meet other values in two modules only, and there by ``compare_digest`` alone."""
    backend = Path(__file__).parents[2] / "backend"
    for name in ("auth.py", "secret_values.py"):
        tree = ast.parse((backend / name).read_text("utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert "compare_digest" in names
    for path in backend.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                assert not any(
                    isinstance(side, ast.Call)
                    and isinstance(side.func, ast.Attribute)
                    and side.func.attr == "reveal"
                    for side in sides
                ), f"{path}:{node.lineno}"
