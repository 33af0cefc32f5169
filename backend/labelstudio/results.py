"""Spans as result items, and annotations of people as spans, with every offset checked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend.labelstudio.label_config import SpanControl
from model.spans import AnnotatedText, Prediction, Span

Kind = Literal["gold", "skipped", "machine", "unusable"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one annotation of Label Studio says.

    Attributes:
        kind: ``gold``, ``skipped``, ``machine`` (a copied prediction nobody read) or ``unusable``.
        spans: Sorted, without doubles; empty unless gold.
        reason: Why it is unusable; else empty.
    """

    kind: Kind
    spans: tuple[Span, ...] = ()
    reason: str = ""


def prediction_item(
    control: SpanControl, text: str, prediction: Prediction, *, version: str
) -> dict[str, Any]:
    """One item of a ``/predict`` answer, or of a bulk push without its task.

    Spans that do not fit the text, or whose label the config lacks, are left out: one of them
    would have Label Studio drop the whole prediction.
    """
    known = set(control.label_set.names)
    result = [
        _region(control, text, span, version, place)
        for place, span in enumerate(prediction.spans)
        if span.end <= len(text) and span.label in known
    ]
    return {"model_version": version, "score": unit(prediction.score), "result": result}


def empty_item(version: str, score: float = 0.0) -> dict[str, Any]:
    """A prediction without spans; Label Studio serves a missing score first, so it has one."""
    return {"model_version": version, "score": unit(score), "result": []}


def drawn_regions(control: SpanControl, item: AnnotatedText) -> list[dict[str, Any]]:
    """Spans as Label Studio writes the regions a person drew by hand."""
    return [
        {
            "id": f"drawn{place}",
            "from_name": control.from_name,
            "to_name": control.to_name,
            "type": "labels",
            "origin": "manual",
            "value": _value(item.text, span),
        }
        for place, span in enumerate(item.spans)
    ]


def unit(value: float) -> float:
    """A finite number in [0, 1], whatever came."""
    return min(1.0, max(0.0, float(value))) if math.isfinite(value) else 0.0


def read_annotation(control: SpanControl, text: str, annotation: Mapping[str, Any]) -> Reading:
    """Decide what one annotation of a task is worth.

    Offsets count Unicode code points and are never shifted: a region that does not give back its
    own words makes the annotation unusable.
    """
    if annotation.get("was_cancelled") is True:
        return Reading("skipped")
    # "Create annotations from predictions" sets the parent and no time: nobody has read it
    if annotation.get("parent_prediction") is not None and annotation.get("lead_time") is None:
        return Reading("machine")
    result = annotation.get("result")
    if not isinstance(result, Sequence) or isinstance(result, str):
        return Reading("unusable", reason="Its result is not a list.")
    spans: set[Span] = set()
    for item in result:
        if not isinstance(item, Mapping):
            return Reading("unusable", reason="A region is not an object.")
        if item.get("from_name") != control.from_name or item.get("type") != "labels":
            continue  # choices, relations and other controls are none of our business
        found = _read_region(control, text, item)
        if isinstance(found, str):
            return Reading("unusable", reason=found)
        spans.update(found)
    return Reading("gold", tuple(sorted(spans)))


def _region(
    control: SpanControl, text: str, span: Span, version: str, place: int
) -> dict[str, Any]:
    seed = f"{version}|{place}|{span.start}|{span.end}|{span.label}"
    return {
        "id": hashlib.blake2s(seed.encode("utf-8", "replace"), digest_size=6).hexdigest(),
        "from_name": control.from_name,
        "to_name": control.to_name,
        "type": "labels",
        "score": unit(span.score),
        "value": _value(text, span),
    }


def _value(text: str, span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "text": text[span.start : span.end],
        "labels": [span.label],
    }


def _read_region(control: SpanControl, text: str, item: Mapping[str, Any]) -> list[Span] | str:
    value = item.get("value")
    if not isinstance(value, Mapping):
        return "A region has no value."
    start, end = value.get("start"), value.get("end")
    if type(start) is not int or type(end) is not int:
        return f"A region has offsets that are no whole numbers: {start!r}, {end!r}."
    if not 0 <= start < end <= len(text):
        return f"A region [{start}, {end}) does not lie in its text of {len(text)} characters."
    words = value.get("text")
    if isinstance(words, str) and words != text[start:end]:
        return f"A region [{start}, {end}) says other words than its text has there."
    labels = value.get("labels")
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        return "A region has no list of labels."
    known = set(control.label_set.names)
    spans = []
    for name in (control.aliases.get(name, name) for name in labels):
        if name not in known:
            return f"A region has the label {name!r}, which the labeling config does not have."
        spans.append(Span(start, end, name))
    return spans
