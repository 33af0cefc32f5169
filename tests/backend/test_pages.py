"""The admin pages over HTTP: what they show of a seeded registry, to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from admin_people import add_person, log_in
from admin_registry import FIRST, SECOND, THIRD, seed
from admin_site import TOKEN, Site, site
from model.registry import projects, runs
from model.registry.session import Database

P1, P2, P3 = (f"/admin/projects/{number}" for number in (FIRST, SECOND, THIRD))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three projects with a life behind them, and four people; the tests only look."""
    with site(tmp_path_factory.mktemp("site"), seed) as opened:
        add_person(opened.registry, "Ada")
        add_person(opened.registry, "Vic", "viewer")
        with opened.registry.read() as session:
            second = projects.by_label_studio(session, SECOND).id
        add_person(opened.registry, "Solo", "admin", second)
        yield opened


@pytest.fixture
def client(shared: Site) -> Iterator[TestClient]:
    """The admin Ada."""
    opened = TestClient(shared.app, raise_server_exceptions=False)
    log_in(opened, shared.registry, "Ada")
    yield opened
    opened.close()


@pytest.fixture
def registry(shared: Site) -> Database:
    """The registry behind the pages."""
    return shared.registry


def text_of(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def running(registry: Database) -> int:
    """The run that is running in the first project."""
    with registry.read() as session:
        first = projects.by_label_studio(session, FIRST)
        return next(r.id for r in runs.recent(session, first.id) if r.state == "running")


def test_projects_show_their_health(client: TestClient) -> None:
    shown = text_of(client, "/admin")
    assert "3 projects, 1 of them wants attention" in shown
    assert shown.index("Museum letters") < shown.index("Plant help line")
    for word in ("connection", "drift", "unread", "well", "PROMOTE", "HOLD", "step 34 of 60"):
        assert word in shown
    assert re.search(r"Version 4 F1 \d\d\.\d on 48 texts", shown)


def test_a_project_shows_every_version_and_what_the_gate_says(client: TestClient) -> None:
    shown = text_of(client, P1)
    assert "PROMOTE Version 5 waits for promotion and was compared with version 4." in shown
    assert "points" in shown
    assert all(f"Version {number}" in shown for number in range(6))
    assert "4 looks in this lane so far" in shown
    assert "shipped base adapter" in shown
    assert "190 spans in 60 texts" in shown
    assert "Roll back to version 2" in shown
    assert "indicative: 12" not in shown


def test_few_held_out_texts_show_shadow_scores_marked_indicative(client: TestClient) -> None:
    shown = text_of(client, P2)
    assert "Shadow scores, indicative" in shown
    assert "A judgement needs 25 held-out texts" in shown
    assert "indicative: 12 texts, held-out" in shown
    assert "does not answer (timeout)" in shown
    assert "Shadow scores, indicative" not in text_of(client, P1)


def test_a_new_project_has_pages_too(client: TestClient) -> None:
    assert "Nothing waits for promotion" in text_of(client, P3)
    assert "Nothing to compare yet" in text_of(client, f"{P3}/compare")
    assert "No run yet" in text_of(client, f"{P3}/runs")
    assert "Nothing was decided yet" in text_of(client, f"{P3}/audit")
    assert "No text of this stream" in text_of(client, f"{P3}/shadow")
    assert "shipped, not trained here" in text_of(client, f"{P3}/versions/0")


def test_a_version_shows_its_origin(client: TestClient) -> None:
    shown = text_of(client, f"{P1}/versions/5")
    assert "PROMOTE against version 4" in shown
    assert "60 annotations, all unchanged since" in shown
    assert "nerloop versions export 5 FOLDER --project 1" in shown
    assert "0.0005" in shown
    assert "Promote version 5" in shown
    archived = text_of(client, f"{P1}/versions/3")
    assert "Archived" in archived
    assert "REJECT against version 2" in archived
    served = text_of(client, f"{P1}/versions/4")
    assert "This version is served." in served
    assert "Promote version 4" not in served


def test_comparing_shows_the_texts_that_changed(client: TestClient) -> None:
    whole = client.get(f"{P1}/compare").text
    shown = text_of(client, f"{P1}/compare")
    assert "Version 4 and version 5 on the same 48 held-out texts" in shown
    told = re.search(r"(\d+) fixed, (\d+) broken, (\d+) other; (\d+) the same", shown)
    assert told is not None
    fixed, broken, other, same = (int(number) for number in told.groups())
    assert fixed > broken >= 1
    assert fixed + broken + other + same == 48
    assert whole.count('<article class="changed">') == fixed + broken + other
    for status in ("gold", "right", "wrong", "missed"):
        assert f'<mark class="{status}">' in whole
    alone = client.get(f"{P1}/compare?first=4&second=5&kind=broken").text
    assert alone.count('<article class="changed">') == broken
    turned = text_of(client, f"{P1}/compare?first=5&second=4")
    assert f"{broken} fixed, {fixed} broken" in turned
    assert "Only in version 5 12 texts" in shown


def test_shadow_scores_stay_in_their_streams(client: TestClient) -> None:
    shown = text_of(client, f"{P1}/shadow")
    for title in ("Held-out texts", "Random texts", "Chosen texts"):
        assert title in shown
    whole = client.get(f"{P1}/shadow").text
    assert 'alt="Rolling F1 by document: version 4 (served) at' in whole
    for stream in ("held-out", "random", "active"):
        picture = client.get(f"{P1}/shadow/{stream}.svg")
        assert picture.headers["content-type"] == "image/svg+xml"
        assert "5 candidate" in picture.text
    assert client.get(f"{P1}/shadow/all.svg").status_code == 404


def test_runs_are_followed(client: TestClient, registry: Database) -> None:
    shown = text_of(client, f"{P1}/runs")
    assert "step 34 of 60" in shown
    assert "memory: out of memory at step 3" in shown
    run = f"{P1}/runs/{running(registry)}"
    assert "a worker took the run" in text_of(client, run)
    part = client.get(f"{run}/progress?log=yes").text
    assert f'data-live="{run}/progress?log=yes"' in part
    assert "<html" not in part
    assert "loss (nats)" in client.get(f"{run}/loss.svg").text
    ended = client.get(f"{P1}/runs/1/progress").text
    assert "data-live" not in ended
    assert "Version 1, which it made" in text_of(client, f"{P1}/runs/1")


def test_the_audit_keeps_refusals_and_overrides(client: TestClient) -> None:
    shown = text_of(client, f"{P1}/audit")
    assert "wanted to serve version 3 refused" in shown
    assert "HOLD override" in shown
    assert "promoted version 2" in shown
    assert client.get(f"{P1}/audit?page=0").status_code == 422


def test_viewers_see_everything_but_the_forms(client: TestClient, registry: Database) -> None:
    forms = {
        path: client.get(path).text.count('method="post"') for path in (P1, f"{P1}/versions/5")
    }
    assert min(forms.values()) > 2
    log_in(client, registry, "Vic")
    for path in forms:
        shown = client.get(path).text
        assert re.findall(r'method="post" action="([^"]+)"', shown) == ["/admin/logout"]
        assert "Version 5" in shown
    assert "Decide on version" not in client.get(f"{P1}/compare").text


def test_people_of_one_project_do_not_learn_of_others(
    client: TestClient, registry: Database
) -> None:
    log_in(client, registry, "Solo")
    assert "Plant help line" not in client.get("/admin").text
    for path in ("", "/versions/1", "/compare", "/shadow", "/runs", "/audit"):
        assert client.get(P2 + path).status_code == 200, path
        refused = client.get(P1 + path)
        assert refused.status_code == 404, path
        assert "Plant" not in refused.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/nothing", 404),
        ("/admin/projects/99", 404),
        (f"/admin/projects/{2**70}", 404),
        (f"{P1}/versions/99", 404),
        (f"{P1}/versions/{2**70}", 404),
        (f"{P1}/runs/99", 404),
        (f"{P1}/runs/{2**70}/loss.svg", 404),
        (f"{P2}/runs/1", 404),
        (f"{P1}/compare?first=4&second=4", 400),
        (f"{P1}/compare?first=4&second=99", 404),
        (f"{P1}/compare?first=x", 422),
        (f"{P1}/compare?first=-1", 422),
    ],
)
def test_errors_are_pages_with_one_sentence(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text
    assert "Traceback" not in answer.text


def test_the_api_still_answers_errors_in_json(client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = client.get("/admin/api/projects/99", headers=headers)
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_only_the_files_of_the_pages_are_served(client: TestClient) -> None:
    for name, kind in (("style.css", "text/css"), ("live.js", "text/javascript")):
        answer = client.get(f"/admin/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
    for name in ("nothing.css", "..%2fapp.py", "style.css%00"):
        assert client.get(f"/admin/static/{name}").status_code == 404


def test_pages_hold_nothing_inline(client: TestClient, registry: Database) -> None:
    paths = [
        "",
        "/versions/5",
        "/compare",
        "/shadow",
        "/runs",
        f"/runs/{running(registry)}",
        "/audit",
    ]
    for path in ["/admin", "/admin/login", *(P1 + path for path in paths)]:
        whole = client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", whole), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", whole)), path
        assert not re.findall(r'(?:src|srcset|<link[^>]*href)="(?!/admin/)', whole), path
