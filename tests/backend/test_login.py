"""Logging in and out, and who is sent to the login page."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from admin_people import PASSWORD, add_person, log_in, new_token, quick
from backend.app import create_app
from backend.auth import COOKIE
from backend.login import FREE_BY_NAME, Doorman
from backend.page_headers import HEADERS
from backend.routes.login import local_page
from backend.settings import Settings
from capitals_engine import CapitalsEngine
from model.registry import credentials, people
from model.registry.errors import RegistryUnavailableError
from model.registry.session import Database

LOGIN = "/admin/login"


@pytest.fixture
def visitor(client: TestClient, registry: Database) -> TestClient:
    """The app with one admin, Ada; redirects are looked at, not followed."""
    add_person(registry, "Ada")
    client.follow_redirects = False
    return client


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def attempt(client: TestClient, name: str, password: str, **more: str) -> Any:
    form = fields(client.get(LOGIN).text) | {"name": name, "password": password} | more
    return client.post(LOGIN, data=form)


def test_a_page_asked_for_without_a_session_leads_to_login_and_back(visitor: TestClient) -> None:
    sent = visitor.get("/admin/projects/7/audit?page=2&q=a b")
    assert sent.status_code == 303
    there = sent.headers["location"]
    assert there.startswith("/admin/login?next=")
    page = visitor.get(there)
    assert page.status_code == 200
    assert fields(page.text)["next"] == "/admin/projects/7/audit?page=2&amp;q=a%20b"
    form = fields(page.text) | {"name": "ada", "password": PASSWORD}
    form["next"] = "/admin/projects/7/audit?page=2&q=a%20b"
    back = visitor.post(LOGIN, data=form)
    assert back.status_code == 303
    assert back.headers["location"] == "/admin/projects/7/audit?page=2&q=a%20b"
    cookie = next(c for c in back.headers.get_list("set-cookie") if c.startswith(COOKIE))
    assert {"HttpOnly", "SameSite=strict", "Path=/admin"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    visitor.cookies.clear()
    # a form posted without a session is not come back to: it cannot be posted again
    assert visitor.post("/admin/projects/7/promote").headers["location"] == LOGIN


def test_behind_https_the_cookie_is_sent_over_https_only(
    settings: Settings, engine: CapitalsEngine, registry: Database
) -> None:
    add_person(registry, "Ada")
    app = create_app(settings, open_engine=lambda method: engine)
    with TestClient(app, base_url="https://testserver", follow_redirects=False) as client:
        answer = attempt(client, "Ada", PASSWORD)
    assert answer.status_code == 303
    cookies = [c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE)]
    assert all("; Secure" in cookie for cookie in cookies)
    assert cookies


def test_wrong_names_and_passwords_get_the_same_answer(
    visitor: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        wrong = attempt(visitor, "Ada", "wrong-password-of-ada")
        unknown = attempt(visitor, "Grace", "wrong-password-of-ada")
    assert wrong.status_code == unknown.status_code == 401
    assert COOKIE not in visitor.cookies

    def without_own(page: str) -> str:
        return re.sub(r'value="[^"]*"', "", page)

    assert without_own(wrong.text) == without_own(unknown.text)
    assert "Name or password is wrong." in wrong.text
    lines = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert lines == [
        "Login refused for 'Ada' from testclient",
        "Login refused for '(nobody)' from testclient",
    ]
    assert "wrong-password" not in caplog.text


def test_a_disabled_person_cannot_log_in(visitor: TestClient, registry: Database) -> None:
    with registry.begin() as session:
        people.disable(session, "Ada", now=datetime.now(UTC))
    assert attempt(visitor, "Ada", PASSWORD).status_code == 401


def test_guessing_is_slowed_and_says_how_long_to_wait(visitor: TestClient) -> None:
    for _ in range(FREE_BY_NAME):
        assert attempt(visitor, "Ada", "wrong-wrong-wrong").status_code == 401
    slowed = attempt(visitor, "Ada", PASSWORD)
    assert slowed.status_code == 429
    assert 1 <= int(slowed.headers["retry-after"]) <= 2
    assert "Try again in" in slowed.text
    assert attempt(visitor, "somebody else", PASSWORD).status_code == 401


@pytest.mark.parametrize("broken", ["no field", "wrong field", "no cookie", "both empty"])
def test_a_login_form_of_another_site_is_refused(visitor: TestClient, broken: str) -> None:
    form = fields(visitor.get(LOGIN).text) | {"name": "Ada", "password": PASSWORD}
    if broken in ("no field", "both empty"):
        del form["csrf"]
    if broken == "wrong field":
        form["csrf"] = "x" * 43
    if broken in ("no cookie", "both empty"):
        visitor.cookies.clear()
    answer = visitor.post(LOGIN, data=form)
    assert answer.status_code == 403
    assert "try again" in answer.text
    assert COOKIE not in visitor.cookies


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"name": "Ada"}', "application/json", 415),
        (b"name=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"name=\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"name=a%00b", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(200)), "application/x-www-form-urlencoded", 400),
        (b"name=" + b"a" * 30_000, "application/x-www-form-urlencoded", 413),
        (b"", "application/x-www-form-urlencoded", 403),
        (b"x", "multipart/form-data; boundary=b", 415),
    ],
)
def test_unreadable_forms_are_4xx(visitor: TestClient, body: bytes, kind: str, status: int) -> None:
    answer = visitor.post(LOGIN, content=body, headers={"Content-Type": kind})
    assert answer.status_code == status


def test_logging_out_needs_the_forms_token_and_ends_the_session(
    visitor: TestClient, registry: Database
) -> None:
    csrf = log_in(visitor, registry, "Ada")
    cookie = visitor.cookies[COOKIE]
    assert visitor.post("/admin/logout", data={"csrf": "x"}).status_code == 403
    assert visitor.post("/admin/logout", data={"a": "b"}).status_code == 403
    with registry.read() as session:
        assert credentials.session_holder(session, cookie, now=datetime.now(UTC)) is not None
    out = visitor.post("/admin/logout", data={"csrf": csrf})
    assert (out.status_code, out.headers["location"]) == (303, LOGIN)
    with registry.read() as session:
        assert credentials.session_holder(session, cookie, now=datetime.now(UTC)) is None


def test_a_new_login_ends_the_old_session_of_this_browser(
    visitor: TestClient, registry: Database
) -> None:
    log_in(visitor, registry, "Ada")
    old = visitor.cookies[COOKIE]
    assert attempt(visitor, "Ada", PASSWORD).status_code == 303
    with registry.read() as session:
        assert credentials.session_holder(session, old, now=datetime.now(UTC)) is None


def test_a_token_opens_the_api_and_no_page_a_cookie_the_pages_and_no_api(
    visitor: TestClient, registry: Database
) -> None:
    bearer = {"Authorization": f"Bearer {new_token(registry, 'Ada')}"}
    assert visitor.get("/admin/api/projects", headers=bearer).status_code == 200
    assert visitor.post("/admin/logout", headers=bearer).status_code == 303
    csrf = log_in(visitor, registry, "Ada")
    assert visitor.get("/admin/api/projects").status_code == 401
    given = {"Authorization": f"Bearer {visitor.cookies[COOKIE]}"}
    assert visitor.get("/admin/api/projects", headers=given).status_code == 401
    given = {"Authorization": f"Bearer {csrf}"}
    assert visitor.get("/admin/api/projects", headers=given).status_code == 401


@pytest.mark.parametrize("path", [LOGIN, "/admin", "/admin/api/projects", "/admin/nothing"])
def test_every_answer_below_admin_has_the_headers_that_keep_it_harmless(
    visitor: TestClient, path: str
) -> None:
    answer = visitor.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "Content-Security-Policy" not in visitor.get("/health").headers


def test_nobody_yet_is_told_how_to_become_somebody(client: TestClient, registry: Database) -> None:
    assert "nerloop admin add NAME --role admin" in client.get(LOGIN).text
    add_person(registry, "Ada")
    assert "nerloop admin add" not in client.get(LOGIN).text


def test_a_database_that_does_not_answer_is_503_in_the_visitors_language(
    visitor: TestClient, registry: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(visitor, registry, "Ada")
    bearer = {"Authorization": f"Bearer {new_token(registry, 'Ada')}"}

    def away(*given: object, **more: object) -> None:
        raise RegistryUnavailableError

    for name in ("session_holder", "token_holder"):
        monkeypatch.setattr(credentials, name, away)
    page, api = visitor.get("/admin"), visitor.get("/admin/api/projects", headers=bearer)
    assert page.status_code == api.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert "The database does not answer" in page.text
    assert "The database does not answer" in api.json()["error"]
    assert page.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("wanted", "opened"),
    [
        ("/admin/projects/3", "/admin/projects/3"),
        ("/admin/projects/3?a=1&b=%20", "/admin/projects/3?a=1&b=%20"),
        ("/admin", "/admin"),
        ("", "/admin"),
        ("https://evil.example/admin", "/admin"),
        ("//evil.example/admin", "/admin"),
        ("/\\evil.example", "/admin"),
        ("/admin\\@evil.example", "/admin"),
        ("/admin/../evil", "/admin"),
        ("/admin/..//evil.example", "/admin"),
        ("/admin//evil.example", "/admin"),
        ("javascript:alert(1)", "/admin"),
        ("/administrator", "/admin"),
        ("/admin/login", "/admin"),
        ("/admin/logout", "/admin"),
        ("/admin/api/projects", "/admin"),
        ("/admin/static/style.css", "/admin"),
        ("/admin/\r\nSet-Cookie: a=b", "/admin"),
        ("/admin/ü", "/admin"),
        ("http://[", "/admin"),
        ("/admin/" + "a" * 600, "/admin"),
    ],
)
def test_only_own_pages_are_opened_after_logging_in(wanted: str, opened: str) -> None:
    assert local_page(wanted) == opened


def test_use_of_a_session_and_a_token_is_noted_once_a_minute(registry: Database) -> None:
    add_person(registry, "Ada")
    moment = [datetime(2026, 11, 20, tzinfo=UTC)]
    doorman = Doorman(registry, lambda: moment[0])
    with registry.begin() as session:
        token = credentials.add_token(session, "Ada", "t", now=moment[0]).value
        stored = people.stored_password(session, "Ada") or ""
        cookie = credentials.open_session(session, "Ada", stored, now=moment[0])
    assert cookie is not None
    noted: list[datetime | None] = []
    for seconds in (0, 30, 59, 61, 100):
        moment[0] = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=seconds)
        assert doorman.by_token(token) is not None
        assert doorman.by_cookie(cookie.cookie) is not None
        with registry.read() as session:
            noted.append(credentials.tokens(session)[0].used_at)
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    later = begin + timedelta(seconds=61)
    assert noted == [begin, begin, begin, later, later]


def test_the_password_is_compared_with_no_transaction_open(
    registry: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person(registry, "Ada")

    def while_hashing(password: str, stored: str | None) -> bool:
        with registry.begin() as session:  # would wait for ever if one were open
            people.set_password(session, "Ada", quick("another horse entirely"))
        return True

    monkeypatch.setattr("backend.login.matches", while_hashing)
    assert Doorman(registry, lambda: datetime.now(UTC)).log_in("Ada", PASSWORD) is None
