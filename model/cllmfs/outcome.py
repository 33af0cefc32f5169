"""From finished answers to predictions, and from held-out texts to calibrated scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.cllmfs.calibration import Calibration, fit_scaling, span_pairs
from model.cllmfs.decoding import AnswerAutomaton
from model.cllmfs.overlaps import without_overlaps
from model.spans import AnnotatedText, Prediction, Span


@dataclass(frozen=True, slots=True)
class Answer:
    """The finished answer to one question.

    Attributes:
        text: Number of the text.
        label: Name of the label asked for.
        automaton: The answer.
    """

    text: int
    label: str
    automaton: AnswerAutomaton


def predictions(
    count: int, answers: Sequence[Answer], calibration: Calibration, *, overlaps: bool, nested: bool
) -> list[Prediction]:
    """One prediction per text.

    Args:
        count: Number of texts.
        answers: All answers, in any order of the texts.
        calibration: How scores are read.
        overlaps: Whether spans of different labels may overlap.
        nested: Whether spans of one label may.
    """
    spans: list[list[Span]] = [[] for _ in range(count)]
    scores = [1.0] * count
    for answer in answers:
        own = [
            Span(m.start, m.end, answer.label, calibration.span.of(m.confidence))
            for m in answer.automaton.mentions
        ]
        spans[answer.text] += own
        certainty = min(
            (span.score for span in own), default=calibration.absence.of(answer.automaton.absence)
        )
        scores[answer.text] = min(scores[answer.text], certainty)
    return [
        Prediction(tuple(sorted(own) if overlaps else without_overlaps(own, nested=nested)), score)
        for own, score in zip(spans, scores, strict=True)
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
    present = [{span.label for span in item.spans} for item in gold]
    absences = [answer.automaton.absence for answer in answers]
    empty = [answer.label not in present[answer.text] for answer in answers]
    return Calibration(fit_scaling(*span_pairs(found, gold)), fit_scaling(absences, empty))
