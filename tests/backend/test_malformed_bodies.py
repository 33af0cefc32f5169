"""Garbage ends as 4xx: never as 5xx, never as a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recorded import capture

UID = "2.1795158171"
CONFIG = capture("01")["requests_to_backend"][1]["body"]["schema"]
TASK = {"id": 1, "data": {"text": "Ada"}, "created_at": "2026-11-20T07:02:51.3Z"}

RAW: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"action": "ANNOT',
    "not-json": b"hello",
    "html": b"<html></html>",
    "latin-1": '{"action": "é"}'.encode("latin-1"),
    "utf-16": '{"action": "A"}'.encode("utf-16"),
    "nul": b"\x00",
    "nan": b'{"action": "A", "x": NaN}',
    "infinity": b'{"action": "A", "x": -Infinity}',
    "deep-list": b"[" * 10_000,
    "deep-closed": b"[" * 10_000 + b"]" * 10_000,
    "deep-object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "long-number": b'{"action": ' + b"9" * 6_000 + b"}",
    "two-values": b"{} {}",
    "list": b"[]",
    "null": b"null",
    "string": b'"x"',
    "number": b"17",
    "true": b"true",
    "no-keys": b"{}",
}
WEBHOOK: dict[str, Any] = {
    "action-null": {"action": None},
    "action-number": {"action": 3},
    "action-empty": {"action": ""},
    "action-long": {"action": "A" * 500},
    "project-list": {"action": "ANNOTATION_CREATED", "project": {"id": UID}, "annotation": 3},
    "annotation-string": {"action": "ANNOTATION_CREATED", "annotation": "x"},
    "annotations-of-strings": {"action": "ANNOTATIONS_DELETED", "annotations": ["x", 1]},
    "tasks-number": {"action": "TASKS_CREATED", "tasks": 5},
}
PREDICT: dict[str, Any] = {
    "no-tasks": {"project": UID, "label_config": CONFIG},
    "tasks-null-and-no-project": {"tasks": None},
    "tasks-string": {"tasks": "x", "project": UID},
    "tasks-of-null": {"tasks": [None], "project": UID, "label_config": CONFIG},
    "tasks-of-lists": {"tasks": [[]], "project": UID, "label_config": CONFIG},
    "project-object": {"tasks": [TASK], "project": {}, "label_config": CONFIG},
    "project-word": {"tasks": [TASK], "project": "../../etc", "label_config": CONFIG},
    "project-huge": {"tasks": [TASK], "project": "9" * 40, "label_config": CONFIG},
    "project-surrogate": {"tasks": [TASK], "project": "\ud800", "label_config": CONFIG},
    "project-true": {"tasks": [TASK], "project": True, "label_config": CONFIG},
    "config-null": {"tasks": [TASK], "project": UID},
    "config-number": {"tasks": [TASK], "project": UID, "label_config": 1},
    "config-empty": {"tasks": [TASK], "project": UID, "label_config": " "},
    "config-broken": {"tasks": [TASK], "project": UID, "label_config": "<View>"},
    "config-no-labels": {"tasks": [TASK], "project": UID, "label_config": "<View/>"},
    "config-surrogate": {"tasks": [TASK], "project": UID, "label_config": "<View>\ud800</View>"},
    "config-nul": {"tasks": [TASK], "project": UID, "label_config": "<View>\x00</View>"},
    "config-entity": {
        "tasks": [TASK],
        "project": UID,
        "label_config": '<!DOCTYPE v [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>',
    },
    "config-laughs": {
        "tasks": [TASK],
        "project": UID,
        "label_config": '<!DOCTYPE v [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><View>&b;</View>',
    },
    "config-long": {"tasks": [TASK], "project": UID, "label_config": " " * 1_000_001},
}
SETUP: dict[str, Any] = {
    "no-project": {"schema": CONFIG},
    "project-list": {"project": [], "schema": CONFIG},
    "project-word": {"project": "x", "schema": CONFIG},
    "project-without-time": {"project": "2", "schema": CONFIG},
    "project-traversal": {"project": "1.1/../../x", "schema": CONFIG},
    "project-surrogate": {"project": "\udfff", "schema": CONFIG},
    "schema-number": {"project": UID, "schema": 5},
    "schema-broken": {"project": UID, "schema": "<View>"},
    "schema-choices": {"project": UID, "schema": '<View><Choices name="c" toName="t"/></View>'},
    "schema-hypertext": {
        "project": UID,
        "schema": '<View><Labels name="l" toName="t"><Label value="A"/></Labels>'
        '<HyperText name="t" value="$html"/></View>',
    },
    "schema-entity": {"project": UID, "schema": "<!DOCTYPE v [<!ENTITY e 'x'>]><View/>"},
}


def check(answer: Any) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    body = answer.json()
    assert body["error"].strip()
    assert "Traceback" not in answer.text
    assert "input_value" not in answer.text


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook"])
@pytest.mark.parametrize("name", RAW)
def test_no_body_that_is_no_json_object_gets_through(
    client: TestClient, path: str, name: str
) -> None:
    check(client.post(path, content=RAW[name], headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(path, body, id=f"{path}-{name}")
        for path, cases in (("/webhook", WEBHOOK), ("/predict", PREDICT), ("/setup", SETUP))
        for name, body in cases.items()
    ],
)
def test_wrong_types_and_values_are_refused_with_a_sentence(
    client: TestClient, path: str, body: Any
) -> None:
    check(client.post(path, content=json.dumps(body)))


@pytest.mark.parametrize(
    ("path", "limit"), [("/webhook", 16_000_000), ("/predict", 64_000_000), ("/setup", 4_000_000)]
)
def test_a_body_above_the_limit_is_refused_with_413(
    client: TestClient, path: str, limit: int
) -> None:
    announced = client.post(path, content=b"{}", headers={"Content-Length": str(limit + 1)})
    assert announced.status_code == 413

    def chunks() -> Any:
        for _ in range(limit // 1_000_000 + 1):
            yield b" " * 1_000_000

    assert client.post(path, content=chunks()).status_code == 413


def test_unknown_paths_and_methods_are_json_errors_too(client: TestClient) -> None:
    assert client.get("/nothing").json()["error"]
    assert client.get("/predict").status_code == 405
    assert client.get("/docs").status_code == 404


def test_a_hostile_webhook_with_odd_ids_is_taken_without_them(client: TestClient) -> None:
    """Unknown fields, huge ids and broken times are no reason to lose a wake-up."""
    body = {
        "action": "ANNOTATION_CREATED\ud800\x00",
        "annotation": {"id": 2**70, "updated_at": "\ud800", "task": -1},
        "project": {"id": 2, "created_at": "2026-11-20T07:02:51.280133Z", "token": "secret"},
    }
    assert client.post("/webhook", content=json.dumps(body)).status_code == 201
