"""``/predict``: one item per task, blind tasks stay blind, one bad text costs only itself."""

from __future__ import annotations

import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from fastapi.testclient import TestClient

from backend.app import create_app
from backend.enrolment import Enrolment
from backend.services import WAITING
from backend.settings import Settings
from capitals_engine import CapitalsEngine
from fake_label_studio import CONFIG
from model.loop.arms import HELD_OUT, arm_of
from model.registry import aliases
from model.registry.session import Database

UID = "1.1700000000"


def task(number: int, text: Any, created: str = "2026-11-20T07:00:00.1Z") -> dict[str, Any]:
    return {"id": number, "data": {"text": text}, "created_at": created}


def ask(client: TestClient, *tasks: dict[str, Any], **more: Any) -> Any:
    body = {"tasks": list(tasks), "project": UID, "label_config": CONFIG, **more}
    answer = client.post("/predict", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def open_tasks(registry: Database, enrolment: Enrolment, count: int) -> list[dict[str, Any]]:
    """So many tasks that are not held out."""
    project = enrolment.enrol(UID, "http://ls", config=CONFIG)
    tasks = [task(n, f"Ada {n}") for n in range(1, 20 * count)]
    share = project.held_out_share
    return [t for t in tasks if arm_of(project.salt, t["id"], t["created_at"], share) != HELD_OUT][
        :count
    ]


def test_answers_keep_the_order_and_empty_ones_are_there(
    client: TestClient, registry: Database, enrolment: Enrolment
) -> None:
    first, second, third = open_tasks(registry, enrolment, 3)
    first["data"], second["data"] = {"text": "nobody"}, {"text": "met Bob"}
    results = ask(client, first, second, third)
    words = [[r["value"]["text"] for r in item["result"]] for item in results]
    assert words == [[], ["Bob"], ["Ada"]]
    assert {item["model_version"] for item in results} == {"1.0"}


def test_tasks_without_a_text_and_bad_texts_cost_only_themselves(
    client: TestClient, registry: Database, enrolment: Enrolment
) -> None:
    tasks = open_tasks(registry, enrolment, 6)
    for item, text in zip(tasks, [None, 5, "POISON", "Bob", "", "a\ud800 Zoë"], strict=True):
        item["data"] = {"text": text}
    results = ask(client, *tasks)
    words = [[r["value"]["text"] for r in item["result"]] for item in results]
    assert words == [[], [], [], ["Bob"], [], ["Zoë"]]
    assert all(0.0 <= item["score"] <= 1.0 for item in results)


def test_held_out_tasks_are_answered_empty_and_never_reach_the_engine(
    client: TestClient, registry: Database, enrolment: Enrolment, engine: CapitalsEngine
) -> None:
    project = enrolment.enrol(UID, "http://ls", config=CONFIG, tasks=10)
    assert project.held_out_share == 0.3
    tasks = [task(n, f"Secret{n}") for n in range(1, 101)]
    blind = {
        t["id"]
        for t in tasks
        if arm_of(project.salt, t["id"], t["created_at"], project.held_out_share) == HELD_OUT
    }
    assert 10 < len(blind) < 60
    contexts: list[Any] = [None, {"result": []}]
    for context in contexts:  # live and interactive
        results = ask(client, *tasks, params={"context": context})
        empty = {t["id"] for t, item in zip(tasks, results, strict=True) if item["result"] == []}
        assert empty == blind
    assert not {f"Secret{number}" for number in blind} & set(engine.texts)
    # the same task with another spelling of its time is the same task
    again = copy.deepcopy([t for t in tasks if t["id"] in blind])
    for item in again:
        item["created_at"] = item["created_at"].replace("Z", "+00:00")
    assert all(item["result"] == [] for item in ask(client, *again))


def test_a_project_nobody_connected_is_registered_with_version_0(
    client: TestClient, registry: Database
) -> None:
    body = {"tasks": {"data": {"text": "Ada"}}, "project": "9.1700000001", "label_config": CONFIG}
    results = client.post("/predict", json=body).json()["results"]
    assert [item["model_version"] for item in results] == ["9.0"]
    with registry.read() as session:
        assert aliases.served(session, 1).number == 0
    # a lone task without id cannot be held out, and other clients name no project at all
    assert results[0]["result"]
    alone = client.post("/predict", json={"tasks": [{"data": {"text": "Ada"}}]})
    assert alone.json()["results"][0]["model_version"] == "9.0"
    number = client.post("/predict", json={"tasks": [], "project": 9})
    assert number.json() == {"results": []}


def test_labels_are_those_of_the_request(
    client: TestClient, registry: Database, enrolment: Enrolment
) -> None:
    (only,) = open_tasks(registry, enrolment, 1)
    other = CONFIG.replace("PER", "Pest").replace('name="label"', 'name="what"')
    (item,) = ask(client, only, label_config=other)
    assert item["result"][0]["value"]["labels"] == ["Pest"]
    assert item["result"][0]["from_name"] == "what"


def test_health_answers_while_the_base_model_is_loading(settings: Settings) -> None:
    loaded, engine = Event(), CapitalsEngine()

    def slowly(method: str) -> CapitalsEngine:
        loaded.wait(20)
        return engine

    with TestClient(create_app(settings, open_engine=slowly)) as client:
        client.get("/health")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(
                client.post,
                "/predict",
                json={"tasks": [{"data": {"text": "A"}}], "project": UID, "label_config": CONFIG},
            )
            for path in ("/", "/health"):
                begun = time.monotonic()
                answer = client.get(path).json()
                assert time.monotonic() - begun < 1.0
                assert (answer["status"], answer["model_loaded"]) == ("UP", False)
            setup = client.post("/setup", json={"project": UID, "schema": CONFIG})
            assert setup.json() == {"model_version": "1.0"}
            assert not waiting.done()
            loaded.set()
            assert waiting.result(20).status_code == 200
        assert client.get("/health").json()["model_loaded"] is True


def test_too_many_at_once_are_told_to_come_back(settings: Settings) -> None:
    open_gate, engine = Event(), CapitalsEngine()

    def slowly(method: str) -> CapitalsEngine:
        open_gate.wait(20)
        return engine

    body = {"tasks": [{"data": {"text": "A"}}], "project": UID, "label_config": CONFIG}
    with TestClient(create_app(settings, open_engine=slowly)) as client:
        with ThreadPoolExecutor(WAITING + 8) as pool:
            asked = [pool.submit(client.post, "/predict", json=body) for _ in range(WAITING + 8)]
            deadline = time.monotonic() + 20
            while sum(f.done() for f in asked) < 8 and time.monotonic() < deadline:
                time.sleep(0.02)
            open_gate.set()
            statuses = [future.result(20) for future in asked]
        assert sorted(s.status_code for s in statuses) == [200] * WAITING + [503] * 8
        refused = next(s for s in statuses if s.status_code == 503)
        assert refused.headers["Retry-After"] == "1"
        assert client.post("/predict", json=body).status_code == 200
        assert "nerloop_refused_requests_total 8.0" in client.get("/metrics").text
