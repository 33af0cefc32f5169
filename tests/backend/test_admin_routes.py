"""The admin API: versions, promotion, roll-back, training, each with its audit row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from admin_people import add_person, new_token
from backend import queue
from backend.enrolment import Enrolment
from fake_label_studio import CONFIG
from model.registry import aliases, predictions, projects
from model.registry.session import Database
from model.registry.tables import Lane
from model.registry.tables_versions import AdapterVersion
from registry_runs import nominate_other

UID = "1.1700000000"
HEADERS = {"Authorization": "Bearer adm1n-t0ken-of-the-tests"}
BASE = "/admin/api/projects/1"


@pytest.fixture
def admin(client: TestClient, registry: Database, enrolment: Enrolment) -> TestClient:
    """The app with one project that has the versions 0 to 3."""
    row = enrolment.enrol(UID, "http://ls", title="garden", config=CONFIG, tasks=100)
    with registry.begin() as session:
        for number in (1, 2, 3):
            session.add(
                AdapterVersion(
                    project_id=row.id,
                    number=number,
                    method="cllmfs",
                    base_name="tiny",
                    base_digest="b" * 64,
                    artifact_digest=f"{number}" * 64,
                    config={"rank": 4},
                    report={"steps": number},
                )
            )
    client.headers.update(HEADERS)
    return client


def promote(admin: TestClient, number: int, **more: Any) -> Any:
    return admin.post(f"{BASE}/promote", json={"number": number, "reason": "better", **more})


def test_projects_and_versions_are_listed(admin: TestClient) -> None:
    (project,) = admin.get("/admin/api/projects").json()
    assert (project["project"], project["title"], project["served_name"]) == (1, "garden", "1.0")
    assert project["labels"] == ["PER", "LOC"]
    found = admin.get(f"{BASE}/versions").json()
    assert [(v["number"], v["name"], v["state"]) for v in found] == [
        (0, "1.0", "served"),
        (1, "1.1", ""),
        (2, "1.2", ""),
        (3, "1.3", ""),
    ]
    one = admin.get(f"{BASE}/versions/2").json()
    assert (one["report"], one["base"], one["config"]) == ({"steps": 2}, "tiny", {"rank": 4})
    assert admin.get("/versions").json() == {"versions": ["1.0", "1.1", "1.2", "1.3"]}
    assert admin.post("/versions", json={"project": "7.7"}).json() == {"versions": []}


def test_promote_then_roll_back_with_an_audit_row_each(admin: TestClient) -> None:
    assert promote(admin, 2).json() == {
        "project": 1,
        "from": 0,
        "to": 2,
        "name": "1.2",
        "revision": 1,
        "verdict": None,
        "override": False,
        "dry_run": False,
    }
    assert admin.post("/setup", json={"project": UID}).json() == {"model_version": "1.2"}
    back = admin.post(f"{BASE}/rollback", json={"reason": "worse"})
    assert (back.json()["from"], back.json()["to"]) == (2, 0)
    named = admin.post(f"{BASE}/rollback", json={"reason": "look", "to": 1})
    assert named.json()["to"] == 1
    audit = admin.get(f"{BASE}/audit").json()
    assert [(line["outcome"], line["to"], line["reason"]) for line in audit] == [
        ("rolled-back", 1, "look"),
        ("rolled-back", 0, "worse"),
        ("promoted", 2, "better"),
    ]
    assert {line["actor"] for line in audit} == {"admin-api"}


def test_a_repeated_request_id_gives_the_first_answer(admin: TestClient) -> None:
    first = promote(admin, 2, request_id="click-1").json()
    assert promote(admin, 2, request_id="click-1").json() == first
    assert len(admin.get(f"{BASE}/audit").json()) == 1


def test_of_many_at_once_one_wins_and_all_are_audited(admin: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: promote(admin, 1 + n % 3, expected_revision=0), range(12))
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * 11
    assert len(admin.get(f"{BASE}/audit").json()) == 12


def test_the_header_names_a_request_as_well_as_the_body(admin: TestClient) -> None:
    key = {"Idempotency-Key": "click-7"}
    body = {"number": 2, "reason": "better"}
    first = admin.post(f"{BASE}/promote", json=body, headers=key)
    again = admin.post(f"{BASE}/promote", json=body | {"request_id": "click-7"}, headers=key)
    assert again.json() == first.json()
    assert [line["request_id"] for line in admin.get(f"{BASE}/audit").json()] == ["click-7"]
    other = admin.post(f"{BASE}/promote", json=body | {"request_id": "click-8"}, headers=key)
    assert other.status_code == 422
    assert "different requests" in other.json()["error"]
    bad = admin.post(f"{BASE}/promote", json=body, headers={"Idempotency-Key": "a b"})
    assert (bad.status_code, "Idempotency-Key" in bad.json()["error"]) == (422, True)
    reused = admin.post(f"{BASE}/rollback", json={"reason": "x", "request_id": "click-7"})
    assert reused.status_code == 409


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(admin: TestClient) -> None:
    told = promote(admin, 2, dry_run=True).json()
    assert (told["from"], told["to"], told["revision"], told["dry_run"]) == (0, 2, 1, True)
    assert promote(admin, 9, dry_run=True).status_code == 404
    pinned = admin.post(f"{BASE}/versions/2/pin", json={"reason": "look", "dry_run": True}).json()
    assert (pinned["pinned"], pinned["dry_run"]) == (True, True)
    assert admin.get(f"{BASE}/audit").json() == []
    assert admin.get(f"{BASE}/versions/2").json()["pinned"] is False
    assert admin.get(BASE).json()["served"] == 0


def test_a_lost_race_tells_what_is_served_now(admin: TestClient) -> None:
    promote(admin, 2)
    lost = promote(admin, 3, expected_revision=0)
    assert lost.status_code == 409
    told = lost.json()
    assert (told["served"], told["revision"]) == (2, 1)
    assert "expected_revision 1" in told["fix"]
    assert promote(admin, 3, expected_revision=told["revision"]).status_code == 200


def test_policy_and_pause_are_switched_with_a_reason_in_the_audit(admin: TestClient) -> None:
    told = admin.post(f"{BASE}/policy", json={"policy": "auto", "reason": "50 texts"}).json()
    assert told == {"project": 1, "policy": "auto", "paused": False}
    assert admin.post(f"{BASE}/pause", json={"reason": "relabelling"}).json()["paused"] is True
    admin.post(f"{BASE}/pause", json={"reason": "again"})  # it is paused already: no second line
    assert admin.post(f"{BASE}/resume", json={"reason": "done"}).json()["paused"] is False
    for path, body in (
        ("policy", {"policy": "fast", "reason": "x"}),
        ("policy", {"policy": "auto"}),
        ("pause", {}),
    ):
        assert admin.post(f"{BASE}/{path}", json=body).status_code == 422
    assert admin.post(f"{BASE}/pause", json={"reason": "   "}).status_code == 400
    lines = [(x["alias"], x["outcome"], x["reason"]) for x in admin.get(f"{BASE}/audit").json()]
    assert lines == [
        ("training", "resumed", "done"),
        ("training", "paused", "relabelling"),
        ("policy", "auto", "50 texts"),
    ]
    assert admin.get(BASE).json()["policy"] == "auto"


def test_viewers_look_and_people_of_one_project_see_that_alone(
    admin: TestClient, registry: Database, enrolment: Enrolment
) -> None:
    other = enrolment.enrol("2.1700000000", "http://ls", title="news", config=CONFIG, tasks=100)
    add_person(registry, "Vera", "viewer")
    add_person(registry, "Nora", "admin", other.id)
    vera, nora = ({"Authorization": f"Bearer {new_token(registry, n)}"} for n in ("Vera", "Nora"))
    assert [p["project"] for p in admin.get("/admin/api/projects", headers=vera).json()] == [1, 2]
    assert [p["project"] for p in admin.get("/admin/api/projects", headers=nora).json()] == [2]
    body = {"number": 2, "reason": "x"}
    refused = admin.post(f"{BASE}/promote", json=body, headers=vera)
    assert (refused.status_code, "Vera may look" in refused.json()["error"]) == (403, True)
    assert admin.post(f"{BASE}/promote", json=body, headers=nora).status_code == 404
    assert admin.get(f"{BASE}/versions", headers=nora).status_code == 404
    paused = admin.post("/admin/api/projects/2/pause", json={"reason": "x"}, headers=nora)
    assert paused.status_code == 200
    (line,) = admin.get("/admin/api/projects/2/audit").json()
    assert line["actor"] == "Nora"
    assert admin.get(f"{BASE}/audit").json() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("promote", {"number": 9, "reason": "x"}, 404),
        ("promote", {"number": 0, "reason": "x"}, 400),
        ("promote", {"number": 2, "reason": "  "}, 400),
        ("promote", {"number": 2, "reason": ""}, 422),
        ("promote", {"number": 2}, 422),
        ("promote", {"number": "2", "reason": "x"}, 422),
        ("promote", {"number": -1, "reason": "x"}, 422),
        ("promote", {"number": 2**40, "reason": "x"}, 422),
        ("promote", {"number": 2, "reason": "a\x00b"}, 422),
        ("promote", {"number": 2, "reason": "x", "expected_revision": 5}, 409),
        ("promote", {"number": 2, "reason": "x", "request_id": "a b"}, 422),
        ("promote", {"number": 2, "reason": "x", "force": True}, 422),
        ("promote", [], 422),
        ("rollback", {"reason": "x"}, 409),
        ("rollback", {"reason": "x", "to": 9}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    admin: TestClient, path: str, body: Any, status: int
) -> None:
    answer = admin.post(f"{BASE}/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/api/projects/7/versions",
        f"/admin/api/projects/{2**70}/runs",
        "/admin/api/projects/-1/audit",
        f"{BASE}/versions/99",
        f"{BASE}/versions/{2**70}",
        f"{BASE}/versions/99/lineage",
        f"{BASE}/runs/99",
        f"{BASE}/runs/{2**70}",
        f"{BASE}/compare?first=0&second=99",
    ],
)
def test_unknown_projects_and_versions_are_404(admin: TestClient, path: str) -> None:
    assert admin.get(path).status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "1.0", "x", "1%00", "％"])
def test_ids_are_numbers_and_nothing_else(admin: TestClient, name: str) -> None:
    assert 400 <= admin.get(f"/admin/api/projects/{name}/versions").status_code < 500
    assert 400 <= admin.get(f"{BASE}/versions/{name}").status_code < 500


def test_training_is_asked_for_and_the_courier_woken(admin: TestClient, registry: Database) -> None:
    answer = admin.post(f"{BASE}/train")
    assert (answer.status_code, answer.json()) == (202, {"asked": True})
    with registry.read() as session:
        assert [lane.asked for lane in session.query(Lane)] == [True]
        row = projects.by_label_studio(session, 1)
        assert row.dirty_seq > row.clean_seq
    assert admin.get(f"{BASE}/runs").json() == []


def test_a_move_rings_the_window_of_its_own_project(
    admin: TestClient, registry: Database, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(
        queue, "ring_predict", lambda url, version_id, *more: rung.append(version_id)
    )
    first = enrolment.enrol(UID, "http://ls", title="garden", config=CONFIG, tasks=100)
    second = enrolment.enrol("2.17", "http://ls", title="park", config=CONFIG, tasks=100)
    with registry.begin() as session:
        older = aliases.served(session, first.id).version_id
        predictions.request(session, older)
        nominate_other(session, second.id, 1, "cllmfs")
        wanted = session.query(AdapterVersion).filter_by(project_id=second.id, number=1).one().id
    body = {"number": 1, "reason": "better"}
    moved = admin.post("/admin/api/projects/2/promote", json=body)
    with registry.read() as session:
        assert predictions.waiting(session)[0][0] == older
    assert (moved.status_code, rung) == (200, [wanted])
