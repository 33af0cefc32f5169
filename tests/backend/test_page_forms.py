"""Deciding on the admin pages: promote, roll back, switches, marks; refusals lose nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from admin_people import add_person, log_in
from admin_registry import FIRST, Seeded, seed
from model.registry import aliases, audit, marks, projects
from model.registry.session import Database
from model.registry.tables import Lane
from registry_runs import condemn

P1 = f"/admin/projects/{FIRST}"
REASON = "clearly better on <place> names & people"


class Browser:
    """Somebody who is logged in and sends forms."""

    def __init__(self, client: TestClient, registry: Database, name: str = "Ada") -> None:
        self.client, self.registry, self.name = client, registry, name
        self.csrf = log_in(client, registry, name)

    def post(self, path: str, **fields: Any) -> Any:
        """Send a form with its token; redirections are not followed."""
        data = {"csrf": self.csrf, "reason": REASON} | fields
        return self.client.post(P1 + path, data=data, follow_redirects=False)

    def revision(self) -> int:
        with self.registry.read() as session:
            return aliases.served(session, projects.by_label_studio(session, FIRST).id).revision

    def served(self) -> int:
        with self.registry.read() as session:
            return aliases.served(session, projects.by_label_studio(session, FIRST).id).number

    def audit(self) -> list[tuple[str, int, str, str]]:
        with self.registry.read() as session:
            rows = audit.history(session, projects.by_label_studio(session, FIRST).id)
            return [(row.outcome, row.to_version, row.actor, row.reason) for row in rows]


@pytest.fixture
def seeded(registry: Database, client: TestClient) -> Seeded:
    found = seed(registry)
    add_person(registry, "Ada")
    return found


@pytest.fixture
def ada(client: TestClient, registry: Database, seeded: Seeded) -> Browser:
    return Browser(client, registry)


def test_promote_and_roll_back(ada: Browser) -> None:
    done = ada.post("/promote", number=5, revision=ada.revision())
    assert (done.status_code, done.headers["location"]) == (303, f"{P1}?moved=5")
    assert ada.served() == 5
    assert ada.audit()[0] == ("promoted", 5, "Ada", REASON)
    shown = ada.client.get(done.headers["location"]).text
    assert "Version 5 is served now." in shown
    assert "Roll back to version 4" in shown
    back = ada.post("/rollback", number=4, revision=ada.revision())
    assert back.headers["location"] == f"{P1}?moved=4"
    assert ada.served() == 4
    assert ada.audit()[0] == ("rolled-back", 4, "Ada", REASON)
    # an old address does not say what is no longer so
    assert "is served now." not in ada.client.get(f"{P1}?moved=5").text


def test_a_lost_race_keeps_the_reason_and_says_what_happened(ada: Browser) -> None:
    seen = ada.revision()
    assert ada.post("/promote", number=2, revision=seen, reason="quicker").status_code == 303
    lost = ada.post("/promote", number=5, revision=seen)
    assert lost.status_code == 409
    assert "Somebody else was quicker" in lost.text
    assert "promoted version 2: quicker" in lost.text
    assert "clearly better on &lt;place&gt; names &amp; people</textarea>" in lost.text
    assert f'name="revision" value="{ada.revision()}"' in lost.text
    assert ada.served() == 2
    assert ada.audit()[0][0] == "refused"
    again = ada.post("/promote", number=5, revision=ada.revision())
    assert again.status_code == 303
    assert ada.served() == 5


def test_a_form_sent_twice_counts_once(ada: Browser) -> None:
    fields = {"number": 5, "revision": ada.revision(), "request_id": "abc-1"}
    assert ada.post("/promote", **fields).status_code == 303
    assert ada.post("/promote", **fields).status_code == 303
    assert [row[0] for row in ada.audit()].count("promoted") == 4


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"reason": "   "}, 400, "reason"),
        ({"number": 4}, 400, "served already"),
        ({"number": 77}, 404, "There is no version 77"),
    ],
)
def test_what_cannot_be_done_is_said_and_can_be_tried_again(
    ada: Browser, fields: dict[str, Any], status: int, words: str
) -> None:
    refused = ada.post("/promote", **({"number": 5, "revision": ada.revision()} | fields))
    assert refused.status_code == status
    assert words in refused.text
    assert "Nothing was changed" in refused.text
    assert f'action="{P1}/promote"' in refused.text
    assert ada.served() == 4


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/promote", {"number": "x", "revision": "1"}),
        ("/promote", {"number": "5", "revision": ""}),
        ("/promote", {"number": "-1", "revision": "1"}),
        ("/promote", {"number": str(2**40), "revision": "1"}),
        ("/promote", {"number": "５", "revision": "1"}),
        ("/promote", {"number": "5", "revision": "4", "reason": "x" * 2001}),
        ("/training", {"wish": "never"}),
        ("/versions/5/mark", {"wish": "burn"}),
    ],
)
def test_malformed_forms_are_422_and_change_nothing(
    ada: Browser, path: str, fields: dict[str, str]
) -> None:
    before = ada.audit()
    assert ada.post(path, **fields).status_code == 422
    assert ada.audit() == before


PATHS = [
    ("/promote", {"number": "5", "revision": "4"}),
    ("/rollback", {"number": "2", "revision": "4"}),
    ("/policy", {"policy": "auto"}),
    ("/training", {"wish": "pause"}),
    ("/versions/5/mark", {"wish": "pin"}),
]


@pytest.mark.parametrize(("path", "fields"), PATHS)
@pytest.mark.parametrize("token", [None, "", "x" * 43])
def test_a_form_without_its_token_does_nothing(
    ada: Browser, path: str, fields: dict[str, str], token: str | None
) -> None:
    before = ada.audit()
    data = fields | {"reason": REASON} | ({} if token is None else {"csrf": token})
    answer = ada.client.post(P1 + path, data=data, follow_redirects=False)
    assert answer.status_code == 403
    assert ada.audit() == before
    assert ada.served() == 4


@pytest.mark.parametrize(("path", "fields"), PATHS)
def test_viewers_decide_nothing(
    ada: Browser, registry: Database, path: str, fields: dict[str, str]
) -> None:
    add_person(registry, "Vic", "viewer")
    vic = Browser(ada.client, registry, "Vic")
    before = vic.audit()
    assert vic.post(path, **fields).status_code == 403
    assert vic.audit() == before


def test_the_policy_and_training_are_switched(ada: Browser, registry: Database) -> None:
    assert ada.post("/policy", policy="auto").headers["location"] == f"{P1}?told=policy"
    assert "policy auto" in ada.client.get(f"{P1}?told=policy").text
    assert ada.post("/policy", policy="chaos").status_code == 400
    ada.post("/training", wish="pause")
    assert "Training by itself is switched off." in ada.client.get(P1).text
    ada.post("/training", wish="resume")
    ada.post("/training", wish="now", reason="")
    with registry.read() as session:
        row = projects.by_label_studio(session, FIRST)
        assert (row.policy, row.paused) == ("auto", False)
        assert [lane.asked for lane in session.query(Lane).filter_by(project_id=row.id)] == [True]
    assert [row[0] for row in ada.audit()][:3] == ["resumed", "paused", "auto"]


def test_a_condemned_version_without_its_files_is_not_pinned(
    ada: Browser, registry: Database
) -> None:
    with registry.read() as session:
        row = projects.by_label_studio(session, FIRST)
    condemn(registry, row, 1)
    answer = ada.post("/versions/1/mark", wish="pin")
    assert (answer.status_code, "version 1 are gone" in answer.text) == (409, True)


def test_versions_are_pinned_and_archived(ada: Browser, registry: Database) -> None:
    done = ada.post("/versions/1/mark", wish="pin")
    assert done.headers["location"] == f"{P1}/versions/1?told=pinned"
    assert "its files are kept" in ada.client.get(done.headers["location"]).text
    ada.post("/versions/1/mark", wish="archive")
    with registry.read() as session:
        row = projects.by_label_studio(session, FIRST)
        states = aliases.states(session, row.id)
        marked = [mark for mark in marks.marks_of(session, row.id).values() if mark.pinned]
    assert "archived" in states.values()
    assert len(marked) == 2
    assert ada.post("/versions/4/mark", wish="archive").status_code == 409
    assert (
        "is served, so it cannot be archived" in ada.post("/versions/4/mark", wish="archive").text
    )


def test_other_bodies_are_refused(ada: Browser) -> None:
    answer = ada.client.post(f"{P1}/promote", json={"number": 5})
    assert answer.status_code == 415
