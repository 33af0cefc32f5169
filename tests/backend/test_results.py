"""Spans to result items and back, every offset checked."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.labelstudio.label_config import span_control
from backend.labelstudio.results import empty_item, prediction_item, read_annotation
from model.spans import Prediction, Span
from recorded import capture

CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC" alias="L"/>'
    '</Labels><Text name="text" value="$text"/></View>'
)
CONTROL = span_control(CONFIG)
TEXT = "Ada 👩‍🔬 met Bob in Łódź.\r\nAda left."


def annotation(*regions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "result": list(regions), "was_cancelled": False, "lead_time": 2.0, **more}


def region(start: Any, end: Any, label: Any = "PER", text: Any = None) -> dict[str, Any]:
    value: dict[str, Any] = {"start": start, "end": end, "labels": [label]}
    if text is not None:
        value["text"] = text
    return {"id": "r", "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def test_a_prediction_becomes_a_valid_item() -> None:
    spans = (Span(0, 3, "PER", 0.9), Span(0, 3, "L", 0.4), Span(0, 3, "PER", 0.9))
    item = prediction_item(CONTROL, TEXT, Prediction(spans, 0.4), version="2.7")
    assert (item["model_version"], item["score"]) == ("2.7", 0.4)
    first = item["result"][0]
    assert first["value"] == {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    assert (first["from_name"], first["to_name"], first["type"]) == ("label", "text", "labels")
    assert first["score"] == 0.9
    assert len({found["id"] for found in item["result"]}) == 3


def test_spans_that_do_not_fit_are_left_out_and_scores_are_always_numbers() -> None:
    spans = (Span(0, 999, "PER"), Span(0, 3, "ORG"), Span(0, 3, "PER", math.nan))
    item = prediction_item(CONTROL, TEXT, Prediction(spans, math.inf), version="2.7")
    assert [found["score"] for found in item["result"]] == [0.0]
    assert item["score"] == 0.0
    assert empty_item("2.7", 7.0) == {"model_version": "2.7", "score": 1.0, "result": []}


@given(st.text(min_size=1), st.data())
def test_what_is_written_reads_back_the_same(text: str, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, len(text) - 1), max_size=4))
    spans = tuple(
        sorted(
            {
                Span(s, data.draw(st.integers(s + 1, len(text))), data.draw(st.sampled_from("LP")))
                for s in starts
            }
        )
    )
    control = span_control(CONFIG.replace('"PER"', '"P"'))
    item = prediction_item(control, text, Prediction(spans, 1.0), version="1.0")
    assert read_annotation(control, text, annotation(*item["result"])).spans == spans


def test_recorded_annotations_of_people_are_gold() -> None:
    """Captures 11 (two spans), 12 (updated), 15 (none: a real negative), 89 and 90 (the UI)."""
    for number, count in (("11", 2), ("15", 0), ("89", None), ("90", None)):
        body = capture(number)["requests_to_backend"][-1]["body"]
        control = span_control(body["project"]["label_config"])
        reading = read_annotation(control, body["task"]["data"]["text"], body["annotation"])
        assert reading.kind == "gold", (number, reading.reason)
        assert count is None or len(reading.spans) == count


def test_a_recorded_edit_in_the_ui_keeps_changes_and_drops_spans() -> None:
    """Capture 92: one span kept, one relabelled, one deleted."""
    body = capture("92")["requests_to_backend"][-1]["body"]
    control = span_control(body["project"]["label_config"])
    reading = read_annotation(control, body["task"]["data"]["text"], body["annotation"])
    origins = [item.get("origin") for item in body["annotation"]["result"]]
    assert reading.kind == "gold"
    assert len(reading.spans) == len(origins)
    assert "prediction-changed" in origins


def test_skipped_and_machine_made_annotations_are_no_gold() -> None:
    skipped = capture("14")["requests_to_backend"][-1]["body"]
    text = skipped["task"]["data"]["text"]
    assert read_annotation(CONTROL, text, skipped["annotation"]).kind == "skipped"
    copies = capture("22")["requests_to_backend"][-1]["body"]
    for item, task in zip(copies["annotation"], copies["task"], strict=True):
        reading = read_annotation(CONTROL, task["data"]["text"], item)
        assert reading.kind == "machine"
        assert reading.spans == ()


def test_a_copy_that_a_person_saved_again_is_gold() -> None:
    saved = annotation(region(0, 3), parent_prediction=471, lead_time=3.2)
    assert read_annotation(CONTROL, TEXT, saved).kind == "gold"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (region(0, 3, text="ada"), "other words"),
        (region(-1, 3), "does not lie"),
        (region(3, 3), "does not lie"),
        (region(0, 999), "does not lie"),
        (region("0", "3"), "no whole numbers"),
        (region(0.0, 3.0), "no whole numbers"),
        (region(True, 3), "no whole numbers"),
        (region(None, None), "no whole numbers"),
        (region(0, 3, "ORG"), "'ORG'"),
        (region(0, 3, None), "no list of labels"),
        ({**region(0, 3), "value": None}, "no value"),
        ("x", "not an object"),
    ],
)
def test_one_bad_region_makes_the_annotation_unusable_with_a_reason(bad: Any, says: str) -> None:
    reading = read_annotation(CONTROL, TEXT, annotation(region(0, 3), bad))
    assert (reading.kind, reading.spans) == ("unusable", ())
    assert says in reading.reason


def test_a_result_that_is_no_list_is_unusable() -> None:
    assert read_annotation(CONTROL, TEXT, {"id": 1, "result": None}).kind == "unusable"
    assert read_annotation(CONTROL, TEXT, {"id": 1, "result": "x"}).kind == "unusable"


def test_other_controls_aliases_and_doubles() -> None:
    choice = {"from_name": "c", "type": "choices", "value": {"choices": ["x"]}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    both = region(0, 3, text="Ada")
    both["value"]["labels"] = ["PER", "LOC"]  # the value, where the alias L is meant
    reading = read_annotation(CONTROL, TEXT, annotation(choice, relation, both, both))
    assert [span.key for span in reading.spans] == [(0, 3, "L"), (0, 3, "PER")]
