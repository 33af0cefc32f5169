"""Answers of made-up versions to known texts, more or less right, and what a gate says of them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from model.evaluation.bootstrap import mean_f1, paired_bootstrap
from model.evaluation.metrics import count
from model.spans import AnnotatedText, Span

DRAWS = 400
FLOOR = 25


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures of a candidate against a served version, for a verdict row."""

    verdict: str
    delta: float
    low: float
    high: float
    candidate_f1: float
    served_f1: float


@cache  # several tests of a process seed the same registry
def answer(gold: AnnotatedText, quality: float, labels: tuple[str, ...]) -> tuple[Span, ...]:
    """What a version of some quality in [0, 1] says of a text.

    A span is as hard for every version, so a better one makes nearly the errors of a worse one.
    """
    said: list[Span] = []
    for span in gold.spans:
        draws = random.Random(f"{gold.text}{span.key}")
        hardness, kind = draws.random(), draws.random()
        luck = int(digest_of(gold.text, span.key, quality)[:6], 16) / 0xFFFFFF * 0.24 - 0.12
        sure = round(min(0.99, 0.55 + 0.4 * quality + luck / 4), 3)
        if hardness < quality + luck:
            said.append(Span(span.start, span.end, span.label, sure))
        elif kind < 0.3 and len(labels) > 1:
            others = [name for name in labels if name != span.label]
            said.append(Span(span.start, span.end, draws.choice(others), 0.51))
        elif kind < 0.55 and span.end - span.start > 3:
            said.append(Span(span.start, span.end - 2, span.label, 0.48))
    return tuple(said)


def counts_of(golds: Sequence[AnnotatedText], said: Sequence[Sequence[Span]]) -> list[list[int]]:
    """``[[true positives, predicted, gold]]`` of each text."""
    found = [count(gold.spans, spans) for gold, spans in zip(golds, said, strict=True)]
    return [[one.correct, one.predicted, one.gold] for one in found]


def judge(candidate: Sequence[Sequence[int]], served: Sequence[Sequence[int]]) -> Judged:
    """The rule of the gate at 5 %, for figures that agree with the answers."""
    first = np.array([candidate], dtype=np.float64)  # (1, n, 3)
    second = np.array([served], dtype=np.float64)  # (1, n, 3)
    found = paired_bootstrap(first, second, draws=DRAWS, resample_supports=False)
    verdict = "HOLD"
    if len(candidate) >= FLOOR and found.low > 0:
        verdict = "PROMOTE"
    elif len(candidate) >= FLOOR and found.high < 0:
        verdict = "REJECT"
    return Judged(verdict, found.difference, found.low, found.high, mean_f1(first), mean_f1(second))


def label_rows(
    golds: Sequence[AnnotatedText],
    candidate: Sequence[Sequence[Span]],
    served: Sequence[Sequence[Span]],
) -> list[dict[str, Any]]:
    """Per label: gold spans and both F1, as a verdict row keeps them."""
    rows = []
    labels = sorted({span.label for gold in golds for span in gold.spans})
    draws = DRAWS if len(labels) < 10 else 20
    for label in labels:
        own = [AnnotatedText(g.text, tuple(s for s in g.spans if s.label == label)) for g in golds]
        both = []
        for said in (candidate, served):
            kept = [[s for s in spans if s.label == label] for spans in said]
            totals = np.array(counts_of(own, kept), dtype=np.float64)[None]  # (1, n, 3)
            both.append(totals)
        found = paired_bootstrap(*both, draws=draws, resample_supports=False)
        rows.append(
            {
                "label": label,
                "gold": int(both[0][0, :, 2].sum()),
                "candidate_f1": mean_f1(both[0]),
                "served_f1": mean_f1(both[1]),
                "delta": found.difference,
                "low": found.low,
                "high": found.high,
                "guarded": int(both[0][0, :, 2].sum()) >= 20,
            }
        )
    return rows


def digest_of(*parts: object) -> str:
    """A SHA-256 that stands for something."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()
