"""`nerloop admin`, run as a person would run it, and the demo's first admin."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backend.cli.application import build
from backend.launch.errors import HomeError
from backend.launch.first_admin import FILE, ensure_first_admin
from backend.launch.home import Home
from backend.logs import blotted
from model.errors import NerLoopError
from model.registry import credentials, passwords, people
from model.registry.base import utc_now
from model.registry.passwords import Cost
from model.registry.projects import BaseAdapter, NewProject, register
from model.registry.session import Database
from model.spans import Label, LabelSet

PASSWORD = "correct horse battery staple"
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing that takes no time."""
    real = passwords.sealed
    monkeypatch.setattr(passwords, "sealed", lambda given: real(given, cost=Cost(16, 1, 1)))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "NERLOOP_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    Home.at(folder).prepare()
    return folder


@pytest.fixture
def registry(home: Path) -> Database:
    opened = Database(f"sqlite:///{home / 'nerloop.db'}")
    opened.upgrade()
    adapter = BaseAdapter("cllmfs", "tiny", "b" * 64, "a" * 64, {})
    labels = LabelSet((Label("PER"),))
    with opened.begin() as session:
        register(session, NewProject("7.1", "http://ls", 7, "t", "<View/>", labels, 0.0, adapter))
    return opened


@pytest.fixture
def run(home: Path) -> Run:
    def call(*arguments: str, given: str | None = None) -> Result:
        command = ["admin", *arguments, "--home", str(home)]
        return CliRunner().invoke(build(), command, input=given)

    return call


def add(run: Run, name: str, *more: str) -> Result:
    return run("add", name, "--password-stdin", *more, given=f"{PASSWORD}\n")


def test_people_are_added_and_listed(run: Run, registry: Database) -> None:
    assert add(run, "Ada", "--role", "admin").stdout == "Ada is admin of all projects now.\n"
    made = add(run, "Bo", "--role", "viewer", "--project", "7")
    assert made.stdout == "Bo is viewer of project 7 now.\n"
    table = [line.split()[:3] for line in run("list").stdout.splitlines()]
    assert table == [
        ["name", "role", "project"],
        ["Ada", "admin", "all"],
        ["Bo", "viewer", "7"],
    ]
    listed = json.loads(run("list", "--json").stdout)
    assert [person["project"] for person in listed] == [None, 7]
    assert "password" not in json.dumps(listed)
    with registry.read() as session:
        stored = people.stored_password(session, "Ada")
    assert passwords.matches(PASSWORD, stored)


def test_the_password_comes_from_a_file_too_and_its_line_end_is_not_part_of_it(
    run: Run, registry: Database, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f" {PASSWORD} \r\n")
    assert run("add", "Ada", "--role", "admin", "--password-file", str(file)).exit_code == 0
    with registry.read() as session:
        assert passwords.matches(f" {PASSWORD} ", people.stored_password(session, "Ada"))


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (("add", "Ada", "--role", "admin"), None, "--password-stdin"),
        (("add", "Ada", "--role", "admin", "--password-stdin"), "", "empty"),
        (("add", "Ada", "--role", "admin", "--password-stdin"), "short\n", "at least 12"),
        (("add", "Ada", "--role", "root", "--password-stdin"), PASSWORD, "viewer, admin"),
        (("add", "<b>", "--role", "admin", "--password-stdin"), PASSWORD, "A name has"),
        (("add", "A", "--role", "admin", "-p", "9", "--password-stdin"), PASSWORD, "No project 9"),
        (("add", "A", "--role", "admin", "--password-file", "/nowhere"), None, "cannot be read"),
        (
            ("add", "A", "--role", "admin", "--password-file", "/x", "--password-stdin"),
            PASSWORD,
            "not both",
        ),
        (("password", "Cy", "--password-stdin"), PASSWORD, "no person called Cy"),
        (("disable", "Cy"), None, "no person called Cy"),
        (("enable", "Cy"), None, "no person called Cy"),
        (("token", "add", "Cy", "--name", "x"), None, "no person called Cy"),
        (("token", "revoke", "9"), None, "no token 9"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run: Run, registry: Database, arguments: tuple[str, ...], given: str | None, words: str
) -> None:
    refused = run(*arguments, given=given)
    assert isinstance(refused.exception, NerLoopError)
    assert words in str(refused.exception)
    with registry.read() as session:
        assert people.every(session) == []


def test_a_password_is_never_an_argument(run: Run, registry: Database) -> None:
    assert run("add", "Ada", "--role", "admin", "--password", PASSWORD).exit_code == 2


def test_a_new_password_disabling_and_enabling(run: Run, registry: Database) -> None:
    add(run, "Ada", "--role", "admin")
    with registry.begin() as session:
        stored = people.stored_password(session, "Ada") or ""
        cookie = credentials.open_session(session, "Ada", stored, now=utc_now())
    assert cookie is not None
    changed = run("password", "Ada", "--password-stdin", given="another horse entirely\n")
    assert changed.stdout == "Ada has a new password.\n"
    with registry.read() as session:
        assert credentials.session_holder(session, cookie.cookie, now=utc_now()) is None
    assert "disabled" in run("disable", "Ada").stdout
    with registry.read() as session:
        assert people.stored_password(session, "Ada") is None
    assert run("enable", "Ada").stdout == "Ada may log in again.\n"


def test_tokens_are_shown_once_listed_without_value_and_revoked(
    run: Run, registry: Database
) -> None:
    add(run, "Ada", "--role", "admin")
    made = run("token", "add", "Ada", "--name", "nightly")
    value = made.stdout.strip()
    assert "shown this once" in made.stderr
    with registry.read() as session:
        assert credentials.token_holder(session, value, now=utc_now()) is not None
    listed = run("token", "list")
    assert listed.stdout.splitlines()[1].split()[:3] == ["1", "Ada", "nightly"]
    assert value not in listed.stdout + run("token", "list", "--json").stdout
    assert run("token", "revoke", "1").stdout == "Token 1 is revoked.\n"
    with registry.read() as session:
        assert credentials.token_holder(session, value, now=utc_now()) is None
    assert value not in blotted(f"somebody logged {value} by accident")


def test_the_demo_makes_its_admin_once_and_knows_the_password_ever_after(
    home: Path, registry: Database
) -> None:
    place = Home.at(home)
    password = ensure_first_admin(place, registry)
    assert password
    assert ensure_first_admin(place, registry) == password
    assert stat.S_IMODE((place.secrets / FILE).stat().st_mode) == 0o600
    with registry.read() as session:
        (person,) = people.every(session)
        assert (person.name, person.role, person.project) == ("admin", "admin", None)
        assert passwords.matches(password, people.stored_password(session, "admin"))
    with registry.begin() as session:
        people.set_password(session, "admin", passwords.sealed("another horse entirely"))
    assert ensure_first_admin(place, registry) is None


def test_the_demo_adds_nobody_where_people_are_and_names_a_damaged_file(
    home: Path, run: Run, registry: Database
) -> None:
    add(run, "Ada", "--role", "admin")
    assert ensure_first_admin(Home.at(home), registry) is None
    with registry.read() as session:
        assert [person.name for person in people.every(session)] == ["Ada"]
    (Home.at(home).secrets / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(HomeError, match="nerloop admin password admin"):
        ensure_first_admin(Home.at(home), registry)
