"""Everything Label Studio 1.23.2 was recorded to send is answered as it expects."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from recorded import bodies


def sent(kind: str) -> list[Any]:
    return [pytest.param(body, id=name) for name, body in bodies(kind).items()]


@pytest.mark.parametrize("body", sent("setup"))
def test_every_recorded_setup_is_answered_with_a_version(client: TestClient, body: Any) -> None:
    answer = client.post("/setup", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"model_version": body["project"].partition(".")[0] + ".0"}


@pytest.mark.parametrize("body", sent("predict"))
def test_every_recorded_predict_gets_one_valid_answer_per_task(
    client: TestClient, body: Any
) -> None:
    from label_studio_sdk.label_interface.interface import LabelInterface

    version = client.post(
        "/setup", json={"project": body["project"], "schema": body["label_config"]}
    ).json()["model_version"]
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert len(results) == len(body["tasks"])
    interface: Any = LabelInterface(body["label_config"])
    for task, result in zip(body["tasks"], results, strict=True):
        assert result["model_version"] == version
        assert 0.0 <= result["score"] <= 1.0
        assert not interface.validate_prediction(result, return_errors=True)
        ids = [region["id"] for region in result["result"]]
        assert len(set(ids)) == len(ids)
        for region in result["result"]:
            value = region["value"]
            text = task["data"]["text"]
            assert text[value["start"] : value["end"]] == value["text"]


@pytest.mark.parametrize("body", sent("webhook"))
def test_every_recorded_webhook_is_accepted(client: TestClient, body: Any) -> None:
    answer = client.post("/webhook", json=body)
    assert answer.status_code == 201, answer.text
    assert isinstance(answer.json(), dict)


def test_enough_was_recorded() -> None:
    """Guards the tests above against an empty folder."""
    assert min(len(sent(kind)) for kind in ("setup", "predict", "webhook")) >= 10
