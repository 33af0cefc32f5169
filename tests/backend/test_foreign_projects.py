"""People and tokens of one project against everything of the others: nothing is told or done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from admin_people import (
    Ask,
    add_person,
    app_of,
    begin_session,
    routes_below,
    send_all,
)
from admin_registry import FIRST, SECOND, THIRD, Seeded, seed
from backend.app import create_app
from backend.auth import COOKIE
from backend.demo.texts import demo_gold
from backend.services import Services
from backend.settings import Settings
from capitals_engine import CapitalsEngine
from model.registry import aliases, projects, runs
from model.registry.session import Database
from model.registry.tables_versions import AliasChange
from person_requests import Person, fields_of

UNKNOWN = 4711
NUMBERS = (0, 1, 2, 3)
FOREIGN = re.compile(
    r"Museum letters|Just connected|does not answer \(timeout\)|someone-elses-model"
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One app for all tests here, which change nothing unless they say so."""
    folder = tmp_path_factory.mktemp("home")
    settings = Settings.from_environ(
        {"NERLOOP_HOME": str(folder), "REDIS_URL": "redis://127.0.0.1:1/0"}
    )
    app = create_app(settings, open_engine=lambda method: CapitalsEngine())
    with TestClient(app) as opened:
        yield opened


@pytest.fixture(scope="module")
def registry(client: TestClient) -> Database:
    """The registry of that app."""
    shared: Services = app_of(client).state.services
    return shared.database


@pytest.fixture(scope="module")
def seeded(registry: Database) -> Seeded:
    """Three projects with versions, runs, verdicts and an audit trail."""
    return seed(registry)


@pytest.fixture(scope="module")
def people(registry: Database, seeded: Seeded) -> tuple[Person, ...]:
    """A viewer and an admin of the first project."""
    return tuple(
        Person(registry, f"{role} of one", role, seeded.projects[FIRST])
        for role in ("viewer", "admin")
    )


def project_routes(client: TestClient) -> list[tuple[str, str]]:
    return [
        (method, path)
        for method, path in routes_below(app_of(client), "/admin")
        if path.count("{") and "project" in path and "/static/" not in path
    ]


def filled(path: str, project: int, number: int, run: int) -> str:
    """The route's path for a project, one of its versions and one of its runs."""
    path = re.sub(r"\{project[^}]*\}", str(project), path)
    path = re.sub(r"\{run[^}]*\}", str(run), path)
    return re.sub(r"\{[^}]*\}", str(number), path)


def state(registry: Database, seeded: Seeded) -> list[object]:
    """Everything about the other projects that somebody could have changed."""
    with registry.read() as session:
        return [
            (
                aliases.served(session, project_id).number,
                len(aliases.history(session, project_id)),
                projects.by_id(session, project_id).policy,
                projects.by_id(session, project_id).paused,
                projects.by_id(session, project_id).dirty_seq,
            )
            for ls_id, project_id in seeded.projects.items()
            if ls_id != FIRST
        ]


def combinations(
    client: TestClient, people: tuple[Person, ...], foreign_runs: list[int]
) -> Iterator[Ask]:
    """Each route for each person and foreign project, with four versions and runs in turn."""
    for (method, path), person, project, number in product(
        project_routes(client), people, (SECOND, THIRD), NUMBERS
    ):
        run = foreign_runs[number % len(foreign_runs)]
        query = urlencode({"first": 0, "second": number})
        yield person.ask(method, filled(path, project, number, run), query)


def elsewhere(ask: Ask, project: int) -> Ask:
    """The same request about another project."""
    return replace(ask, path=re.sub(r"/projects/\d+", f"/projects/{project}", ask.path))


def test_nothing_of_another_project_is_told_or_changed(
    client: TestClient, registry: Database, seeded: Seeded, people: tuple[Person, ...]
) -> None:
    """A project that is somebody else's answers exactly as one that does not exist."""
    with registry.read() as session:
        foreign = [run.id for run in runs.recent(session, seeded.projects[SECOND])]
    asked = list(combinations(client, people, foreign))
    assert len(asked) >= 500
    before = state(registry, seeded)
    answers = send_all(app_of(client), asked)
    for ask, got in zip(asked, answers, strict=True):
        assert got.status == 404, (ask, got)
        assert not FOREIGN.search(got.body.decode()), (ask, got)
    assert state(registry, seeded) == before
    some = slice(None, None, len(NUMBERS))
    nowhere = send_all(app_of(client), [elsewhere(ask, UNKNOWN) for ask in asked[some]])
    for ask, got, unknown in zip(asked[some], answers[some], nowhere, strict=True):
        number = re.findall(r"/projects/(\d+)", ask.path)[0].encode()
        told = unknown.body.replace(str(UNKNOWN).encode(), number)
        assert (unknown.status, told) == (got.status, got.body), ask


def test_numbers_of_another_project_do_not_work_inside_ones_own(
    client: TestClient, registry: Database, seeded: Seeded, people: tuple[Person, ...]
) -> None:
    """Runs have numbers of their own across projects, so these are the ones to be mixed up."""
    with registry.read() as session:
        foreign = [run.id for run in runs.recent(session, seeded.projects[SECOND])]
    asked = [
        person.ask(method, filled(path, FIRST, number, run))
        for method, path in project_routes(client)
        if "{run" in path
        for person in people
        for number in (0, 1)
        for run in foreign
    ]
    assert asked
    for ask, got in zip(asked, send_all(app_of(client), asked), strict=True):
        assert got.status in (403, 404), (ask, got)
    absent = [
        person.ask(method, filled(path, FIRST, 999, 999_999))
        for method, path in project_routes(client)
        if "{number" in path or "{version" in path
        for person in people
    ]
    for ask, got in zip(absent, send_all(app_of(client), absent), strict=True):
        assert got.status in (403, 404), (ask, got)


def test_lists_and_pages_of_ones_own_hold_nothing_of_the_others(
    client: TestClient, seeded: Seeded, people: tuple[Person, ...]
) -> None:
    places = [
        (method, filled(path, FIRST, 1, seeded.running))
        for method, path in routes_below(app_of(client), "/admin")
        if method == "GET" and "/static" not in path
    ]
    asked = [
        person.ask(method, path, "first=0&second=1") for method, path in places for person in people
    ]
    answers = send_all(app_of(client), asked)
    for ask, got in zip(asked, answers, strict=True):
        assert got.status in (200, 303, 404), (ask, got.status)
        assert not FOREIGN.search(got.body.decode("utf-8", "replace")), ask
    assert sum(got.status == 200 for got in answers) > len(asked) * 0.7
    first = json.loads(
        answers[asked.index(people[0].ask("GET", "/admin/api/projects", "first=0&second=1"))].body
    )
    assert [project["project"] for project in first] == [FIRST]


def test_a_viewer_of_a_project_decides_nothing_in_it(
    client: TestClient, registry: Database, seeded: Seeded, people: tuple[Person, ...]
) -> None:
    """403, which tells nothing a viewer does not see anyway; the admin of the project may."""
    viewer, admin = people
    deciding = [
        (method, filled(path, FIRST, 1, seeded.running))
        for method, path in project_routes(client)
        if method != "GET"
    ]
    assert len(deciding) >= 7
    with registry.read() as session:
        before = (
            aliases.served(session, seeded.projects[FIRST]),
            len(aliases.history(session, seeded.projects[FIRST])),
        )
    asked = [viewer.ask(*it) for it in deciding]
    for ask, got in zip(asked, send_all(app_of(client), asked), strict=True):
        assert got.status == 403, (ask, got)
    with registry.read() as session:
        after = (
            aliases.served(session, seeded.projects[FIRST]),
            len(aliases.history(session, seeded.projects[FIRST])),
        )
    assert after == before
    (allowed,) = send_all(
        app_of(client), [admin.ask("POST", f"/admin/api/projects/{FIRST}/promote")]
    )
    assert allowed.status == 200
    with registry.read() as session:
        last = aliases.history(session, seeded.projects[FIRST])[0]
    assert (last.actor, last.to_version) == ("admin of one", 1)


def test_every_form_of_the_pages_needs_the_sessions_own_token(
    client: TestClient, registry: Database, seeded: Seeded
) -> None:
    """Even for an admin of everything: none, a wrong one and somebody else's are refused."""
    add_person(registry, "Ada")
    add_person(registry, "Bo")
    ada, bo = begin_session(registry, "Ada"), begin_session(registry, "Bo")
    pages = [
        filled(path, FIRST, 1, seeded.running)
        for method, path in routes_below(app_of(client), "/admin")
        if method == "POST" and "/api" not in path and not path.endswith("/login")
    ]
    assert len(pages) >= 3
    kind = (b"content-type", b"application/x-www-form-urlencoded")
    cookie = (b"cookie", f"{COOKIE}={ada.cookie}".encode())
    asked = [
        Ask("POST", path, "", (cookie, kind), urlencode(fields_of(path) | given).encode())
        for path in pages
        for given in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": bo.csrf}, {"csrf": ada.cookie})
    ]
    before = [len(_audit(registry, seeded)), _audit(registry, seeded)[0].id]
    for ask, got in zip(asked, send_all(app_of(client), asked), strict=True):
        assert got.status == 403, (ask, got)
    assert [len(_audit(registry, seeded)), _audit(registry, seeded)[0].id] == before


def _audit(registry: Database, seeded: Seeded) -> list[AliasChange]:
    with registry.read() as session:
        return list(aliases.history(session, seeded.projects[FIRST]))


def test_the_texts_of_the_seeded_projects_are_told_to_their_own_people(
    client: TestClient, seeded: Seeded, people: tuple[Person, ...]
) -> None:
    """Otherwise the tests above would pass on pages that show nothing."""
    viewer = people[0]
    asked = [
        viewer.ask("GET", f"/admin/api/projects/{FIRST}/compare", "first=4&second=5"),
        viewer.ask("GET", f"/admin/projects/{FIRST}/compare", "first=4&second=5"),
    ]
    found = send_all(app_of(client), asked)
    assert [got.status for got in found] == [200, 200]
    texts = [item.text[:20] for item in demo_gold()]
    assert any(text in found[0].body.decode() for text in texts)
