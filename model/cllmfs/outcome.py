"""From finished answers to predictions, and from held-out texts to calibrated scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.cllmfs.calibration import (
    Calibration,
    expected_calibration_error,
    fit_scaling,
    span_pairs,
)
from model.cllmfs.decoding import AnswerAutomaton
from model.cllmfs.overlaps import without_overlaps
from model.spans import AnnotatedText, Prediction, Span


@dataclass(frozen=True, slots=True)
class Answer:
    """The finished answer to one question about one window.

    Attributes:
        text: Number of the text.
        label: Name of the label asked for.
        reach: The window's first code point in the text and one past its last.
        automaton: The answer.
    """

    text: int
    label: str
    reach: tuple[int, int]
    automaton: AnswerAutomaton


def predictions(
    count: int, answers: Sequence[Answer], calibration: Calibration, *, overlaps: bool, nested: bool
) -> list[Prediction]:
    """One prediction per text.

    Args:
        count: Number of texts.
        answers: All answers, in any order of the texts.
        calibration: How scores are read; it changes no span.
        overlaps: Whether spans of different labels may overlap.
        nested: Whether spans of one label may.
    """
    spans: list[list[Span]] = [[] for _ in range(count)]
    scores = [1.0] * count
    for answer in answers:
        mentions = answer.automaton.mentions
        spans[answer.text] += [Span(m.start, m.end, answer.label, m.confidence) for m in mentions]
        certainty = min(
            (calibration.span.of(mention.confidence) for mention in mentions),
            default=calibration.absence.of(answer.automaton.absence),
        )
        scores[answer.text] = min(scores[answer.text], certainty)
    # Which spans stay is decided on the raw confidences: calibrated ones may be equal.
    settled = [sorted(own) if overlaps else without_overlaps(own, nested=nested) for own in spans]
    return [
        Prediction(tuple(replace(s, score=calibration.span.of(s.score)) for s in own), score)
        for own, score in zip(settled, scores, strict=True)
    ]


def calibrated(
    answers: Sequence[Answer], found: Sequence[Prediction], gold: Sequence[AnnotatedText]
) -> Calibration:
    """The calibration that held-out texts allow; scores they say too little about stay as they are.

    Args:
        answers: Answers on the held-out texts.
        found: Predictions made of them without a calibration.
        gold: The held-out texts.
    """
    absences = [answer.automaton.absence for answer in answers]
    empty = [not _touched(answer, gold[answer.text]) for answer in answers]
    return Calibration(fit_scaling(*span_pairs(found, gold)), fit_scaling(absences, empty))


def calibration_report(
    found: Sequence[Prediction], gold: Sequence[AnnotatedText], calibration: Calibration
) -> dict[str, float]:
    """Expected calibration error of span scores, without and with it.

    Both are taken on the held-out texts the calibration was fitted to, so the second flatters it.
    """
    scores, correct = span_pairs(found, gold)
    scaled = [calibration.span.of(score) for score in scores]
    return {
        "calibration_error": expected_calibration_error(scores, correct),
        "calibration_error_fitted": expected_calibration_error(scaled, correct),
    }


def _touched(answer: Answer, item: AnnotatedText) -> bool:
    """Whether a gold span of the label lies in the window, at least in part."""
    start, end = answer.reach
    return any(s.label == answer.label and s.start < end and start < s.end for s in item.spans)
