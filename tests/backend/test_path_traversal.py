"""Two hundred ways out of a folder, tried on every id, name and version there is."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from fastapi.testclient import TestClient

from admin_people import Ask, Sent, add_person, app_of, begin_session, routes_below, send_all
from backend.app import create_app
from backend.auth import COOKIE
from backend.settings import Settings
from capitals_engine import CapitalsEngine
from model.registry import people, projects
from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError, PersonError
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.spans import Label, LabelSet

CANARY = "canary-7f3a-outside"
TOKEN = "adm1n-t0ken-of-the-tests"
Headers = tuple[tuple[bytes, bytes], ...]
ROOTS = ("", "/", "1/", "1.0/", "sha256/", "x.zip/", "file://", "C:\\", "\\\\host\\share\\")
UPS = (
    "../",
    "..\\",
    "....//",
    "%2e%2e/",
    "..%2f",
    "%252e%252e%252f",
    "..%c0%af",
    "..;/",
    ".\u2024/",
)
TARGETS = ("etc/passwd", "canary.txt", "secrets/admin.token", "nerloop.db%00.html")
WHOLE = (
    "/proc/self/environ",
    "~root",
    "$(id)",
    "`id`",
    "%00",
    "\x00",
    "CON",
    "../" * 200 + "etc/passwd",
    "a" * 5_000,
    "-1",
    "1e9",
    "0x10",
    "１",
    "1 OR 1=1",
    "1;--",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "-" + "9" * 400,
    "9" * 4_400,
)


def payloads() -> list[str]:
    """At least two hundred, all different."""
    mixed = [
        f"{root}{up * depth}{target}"
        for root in ROOTS
        for number, up in enumerate(UPS)
        for depth, target in zip((1, 4, 9), TARGETS[number % 2 :: 1], strict=False)
    ]
    return [*dict.fromkeys([*mixed, *WHOLE])]


PAYLOADS = payloads()
LEAKS = re.compile(rf"{CANARY}|root:x?:0:|adm1n-t0ken|SQLite format 3|Traceback|NERLOOP_".encode())
MOST_SHARES = 10
"""Each route gets at least a tenth of the payloads on each of its parameters."""

PLACES = ("compare", "versions", "runs", "audit", "shadow")
BODIES = {
    "promote": {"number": "{}", "reason": "{}", "request_id": "{}"},
    "rollback": {"to": "{}", "reason": "{}", "request_id": "{}"},
    "pin": {"pinned": "{}", "reason": "x", "request_id": "{}"},
    "policy": {"policy": "{}", "reason": "x"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder around the home, with something in it that nobody may read."""
    made = tmp_path_factory.mktemp("around")
    (made / "canary.txt").write_text(CANARY)
    (made / "home" / "secrets").mkdir(parents=True)
    (made / "home" / "secrets" / "admin.token").write_text(TOKEN)
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """The app on that home, with a project whose number is 1, and an admin."""
    settings = Settings.from_environ(
        {"NERLOOP_HOME": str(folder / "home"), "REDIS_URL": "redis://127.0.0.1:1/0"}
    )
    app = create_app(settings, open_engine=lambda method: CapitalsEngine())
    adapter = BaseAdapter("cllmfs", "tiny", "b" * 64, "a" * 64, {})
    labels = LabelSet((Label("PER"),))
    new = NewProject("1.1", "http://ls", 1, "garden", "<View/>", labels, 0.0, adapter)
    with TestClient(app, raise_server_exceptions=False) as opened:
        database = app.state.services.database
        with database.begin() as session:
            projects.register(session, new)
        add_person(database, "Ada")
        yield opened


@pytest.fixture(scope="module")
def headers(client: TestClient) -> Headers:
    """Of somebody who may do everything, by token and by session."""
    cookie = begin_session(app_of(client).state.services.database, "Ada").cookie
    return (
        (b"authorization", f"Bearer {TOKEN}".encode()),
        (b"cookie", f"{COOKIE}={cookie}".encode()),
    )


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.name.startswith("nerloop.db")
    }


def check(asked: list[Ask], answers: list[Sent]) -> None:
    for ask, got in zip(asked, answers, strict=True):
        assert got.status < 500, (ask, got)
        assert not LEAKS.search(got.body), (ask, got.body[:300])
        place = got.headers.get("location", "/admin")
        assert place.startswith("/admin"), (ask, place)


def slots_by_name(client: TestClient) -> dict[str, list[tuple[str, str]]]:
    """Name of a parameter -> (method, path with it as ``{}`` and the others as 1) of its routes."""
    found = defaultdict(list)
    for method, path in routes_below(app_of(client), "/admin"):
        names = re.findall(r"\{(\w+)", path)
        parts = re.split(r"\{[^}]*\}", path)
        for place, name in enumerate(names, 1):
            slot = "1".join(parts[:place]) + "{}" + "1".join(parts[place:])
            found[name].append((method, slot))
    return found


def test_there_are_two_hundred_of_them() -> None:
    assert len(PAYLOADS) >= 200


def test_no_id_in_a_path_leads_out(client: TestClient, folder: Path, headers: Headers) -> None:
    """Every payload on each kind of id, spread over its routes; raw and percent-encoded in turn."""
    before = files(folder)
    asked = []
    for places in slots_by_name(client).values():
        share = min(len(places), MOST_SHARES)
        for place, (method, slot) in enumerate(places):
            for number, payload in enumerate(PAYLOADS[place % share :: share]):
                written = payload if number % 2 else quote(payload, safe="")
                body = b'{"reason": "x", "number": 0}' if method == "POST" else b""
                asked.append(Ask(method, slot.replace("{}", written), "", headers, body))
    assert len(asked) >= 200 * len(slots_by_name(client))
    check(asked, send_all(app_of(client), asked))
    assert files(folder) == before


def test_no_file_of_the_pages_leads_out(client: TestClient, folder: Path, headers: Headers) -> None:
    asked = [
        Ask("GET", f"/admin/static/{written}")
        for payload in PAYLOADS
        for written in (payload, quote(payload), quote(payload, safe=""))
    ]
    answers = send_all(app_of(client), asked)
    check(asked, answers)
    assert {got.status for got in answers} <= {404, 405, 414}


def test_no_query_and_no_body_leads_out(client: TestClient, folder: Path, headers: Headers) -> None:
    before = files(folder)
    asked = []
    for number, payload in enumerate(PAYLOADS):
        names = ("first", "second", "number", "to", "last", "page", "run", "next", "stream")
        query = urlencode(dict.fromkeys(names, payload), errors="surrogatepass")
        place = PLACES[number % len(PLACES)]
        asked.append(Ask("GET", f"/admin/api/projects/1/{place}", query, headers))
        asked.append(Ask("GET", f"/admin/projects/1/{place}", query, headers))
        asked.append(Ask("GET", "/admin/login", query))
        action, fields = list(BODIES.items())[number % len(BODIES)]
        told = {name: value.replace("{}", payload) for name, value in fields.items()}
        where = f"versions/0/{action}" if action == "pin" else action
        body = json.dumps(told).encode()
        asked.append(Ask("POST", f"/admin/api/projects/1/{where}", "", headers, body))
    check(asked, send_all(app_of(client), asked))
    assert files(folder) == before


def test_no_digest_and_no_file_name_leads_out_of_the_artifact_store(folder: Path) -> None:
    before = files(folder)
    store = ArtifactStore(folder / "home" / "artifacts")
    good = {"adapter_model.safetensors": b"w", "adapter_config.json": b"{}", "nerloop.json": b"{}"}
    for payload in PAYLOADS:
        for digest in (payload, f"{payload}{'a' * 64}", f"{'a' * 64}{payload}"):
            with pytest.raises(ArtifactError):
                store.read(digest)
            with pytest.raises(ArtifactError):
                store.exists(digest)
        with pytest.raises(ArtifactError):
            store.put({**good, payload: CANARY.encode()})
    assert files(folder) == before


def test_no_person_is_called_by_a_path(database: Database) -> None:
    for payload in PAYLOADS:
        if re.search(r"[/\\$`%{;=\x00]", payload):
            with pytest.raises(PersonError):
                add_person(database, payload)
    with database.read() as session:
        assert people.every(session) == []
