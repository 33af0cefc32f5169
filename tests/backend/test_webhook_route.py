"""``/webhook``: each event once, quickly, and never a reason to trust its content."""

from __future__ import annotations

import copy
import random
import time
from typing import Any

from fastapi.testclient import TestClient

from backend.labelstudio.messages import WebhookEvent
from backend.routes.webhook import inbox_events
from model.registry import projects
from model.registry.session import Database
from model.registry.tables import FeedbackEvent, Lane
from recorded import bodies, capture

UID = "2.1795158171"


def register(client: TestClient) -> None:
    setup = capture("01")["requests_to_backend"][1]["body"]
    assert client.post("/setup", json=setup).status_code == 200


def dirty(registry: Database) -> int:
    with registry.read() as session:
        project = projects.by_uid(session, UID)
        assert project is not None
        return project.dirty_seq


def kept(registry: Database) -> list[FeedbackEvent]:
    with registry.read() as session:
        return list(session.query(FeedbackEvent).order_by(FeedbackEvent.id))


def body_of(number: str) -> Any:
    return capture(number)["requests_to_backend"][-1]["body"]


def test_an_event_is_kept_once_however_often_it_comes(
    client: TestClient, registry: Database
) -> None:
    register(client)
    for _ in range(3):
        answer = client.post("/webhook", json=body_of("11"))
        assert (answer.status_code, answer.json()) == (201, {"status": "ok"})
    (event,) = kept(registry)
    assert (event.action, event.annotation_id, event.task_id) == ("ANNOTATION_CREATED", 1, 1)
    assert dirty(registry) == 3  # a repeated event still wakes the courier


def test_an_update_of_the_same_annotation_is_another_event(
    client: TestClient, registry: Database
) -> None:
    register(client)
    client.post("/webhook", json=body_of("11"))
    client.post("/webhook", json=body_of("12"))
    assert [event.action for event in kept(registry)] == [
        "ANNOTATION_CREATED",
        "ANNOTATION_UPDATED",
    ]


def test_lists_and_deletions_become_one_row_per_annotation() -> None:
    created = inbox_events(WebhookEvent.model_validate(body_of("22")))
    assert [(event.annotation_id, event.task_id) for event in created] == [(5, 6), (6, 7)]
    deleted = inbox_events(WebhookEvent.model_validate(body_of("17")))
    assert [(event.action, event.annotation_id) for event in deleted] == [
        ("ANNOTATIONS_DELETED", 1)
    ]
    tasks = inbox_events(WebhookEvent.model_validate(body_of("20")))
    assert len(tasks) == 1
    assert tasks[0].identity[0] == "tasks"


def test_start_training_asks_the_lanes_and_is_never_swallowed(
    client: TestClient, registry: Database
) -> None:
    register(client)
    for _ in range(2):
        assert client.post("/webhook", json=body_of("10")).status_code == 201
        with registry.begin() as session:
            (lane,) = session.query(Lane)
            assert lane.asked is True
            lane.asked = False
    assert kept(registry) == []


def test_the_echo_of_a_settings_change_asks_for_nothing(
    client: TestClient, registry: Database
) -> None:
    register(client)
    assert client.post("/webhook", json=body_of("33")).status_code == 201
    with registry.read() as session:
        assert [lane.asked for lane in session.query(Lane)] == [False]


def test_a_body_with_nothing_but_the_action_wakes_every_connected_project(
    client: TestClient, registry: Database
) -> None:
    register(client)
    with registry.begin() as session:
        projects.set_connected(session, 1, "http://ls")
    before = dirty(registry)
    assert client.post("/webhook", json=body_of("28")).status_code == 201
    assert dirty(registry) == before + 1


def test_an_unknown_project_and_an_unknown_action_are_welcome(client: TestClient) -> None:
    answer = client.post("/webhook", json=body_of("11"))
    assert (answer.status_code, answer.json()) == (201, {"status": "unknown project"})
    assert client.post("/webhook", json={"action": "COMMENT_CREATED"}).status_code == 201
    text = client.get("/metrics").text
    assert 'nerloop_events_total{known="false"} 1.0' in text
    assert 'nerloop_events_total{known="true"} 1.0' in text


def test_a_locked_database_is_503_soon_and_the_event_is_counted_as_lost(
    client: TestClient, registry: Database
) -> None:
    register(client)
    with registry.begin():
        begun = time.monotonic()
        answer = client.post("/webhook", json=body_of("11"))
        seconds = time.monotonic() - begun
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert seconds < 1.0  # Label Studio's limit; ours is 0.2 s
    assert kept(registry) == []
    assert "nerloop_lost_events_total 1.0" in client.get("/metrics").text
    assert client.post("/webhook", json=body_of("11")).status_code == 201


def test_no_token_of_a_body_gets_into_the_registry(client: TestClient, registry: Database) -> None:
    register(client)
    for body in bodies("webhook").values():
        poisoned = copy.deepcopy(body)
        poisoned.setdefault("project", {"id": 2})["token"] = "hunter2-token"
        poisoned["project"]["created_at"] = "2026-11-20T07:02:51.280133Z"
        poisoned["project"]["id"] = 2
        assert client.post("/webhook", json=poisoned).status_code == 201
    with registry.read() as session:
        rows = [*session.query(FeedbackEvent), *session.query(Lane)]
        everything = repr([vars(row) for row in rows])
    assert "hunter2" not in everything


def test_order_does_not_matter(client: TestClient, registry: Database) -> None:
    register(client)
    events = [body_of(number) for number in ("11", "12", "13", "14", "15", "17", "20")] * 2
    random.Random(3).shuffle(events)
    for event in events:
        client.post("/webhook", json=event)
    assert len(kept(registry)) == 7
