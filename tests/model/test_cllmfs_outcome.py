from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.calibration import Calibration, Scaling
from model.cllmfs.decoding import Mention
from model.cllmfs.outcome import Answer, calibrated, calibration_report, predictions
from model.spans import AnnotatedText, Prediction, Span

STEEP = Calibration(Scaling(1.3, 0.2, 99, fitted=True), Scaling(0.5, 0.0, 99, fitted=True))


@dataclass
class Finished:
    """An answer that is complete."""

    mentions: list[Mention] = field(default_factory=list)
    absence: float = 0.0
    dropped: int = 0
    done: bool = True
    starting: bool = False

    def options(self) -> tuple[int, ...] | None:
        return ()

    def take(self, token: int, log_probability: float | None = None) -> None:
        raise AssertionError


def answer(label: str, *confidences: float, start: int = 0, text: int = 0) -> Answer:
    mentions = [
        Mention(start + place, start + place + 2, confidence, start + place, start + place + 2)
        for place, confidence in enumerate(confidences)
    ]
    return Answer(text, label, (0, 100), Finished(mentions))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.floats(0, 1)), max_size=8))
def test_a_calibration_changes_scores_and_never_spans(
    found: list[tuple[str, int, float]],
) -> None:
    answers = [answer(label, confidence, start=start) for label, start, confidence in found]
    plain = predictions(1, answers, Calibration(), overlaps=False, nested=False)
    fitted = predictions(1, answers, STEEP, overlaps=False, nested=False)
    assert [span.key for span in plain[0].spans] == [span.key for span in fitted[0].spans]


def test_scores_that_become_equal_do_not_change_which_span_stays() -> None:
    """Both are 1 after the scaling; the raw confidence of b is higher."""
    answers = [answer("a", 1 - 9e-7), answer("b", 1 - 1e-8)]
    for calibration in (Calibration(), STEEP):
        (kept,) = predictions(1, answers, calibration, overlaps=False, nested=False)
        assert [span.label for span in kept.spans] == ["b"]


def test_the_score_of_a_text_is_its_least_certain_answer() -> None:
    """Text 0 has spans of 0.9 and 0.6, text 1 an answer `none` of 0.7, text 2 no question."""
    answers = [
        answer("a", 0.9),
        answer("b", 0.6, start=50),
        Answer(1, "a", (0, 9), Finished(absence=0.7)),
    ]
    found = predictions(3, answers, Calibration(), overlaps=False, nested=False)
    assert [prediction.score for prediction in found] == [0.6, 0.7, 1.0]


def test_an_empty_answer_is_right_where_its_own_window_has_no_mention() -> None:
    """30 texts of two windows, with a mention in the first alone.

    The answers about the second window say `none` with probability 0.9, those about the first one
    with 0.2: so 0.9 must come out as nearly 1, and 0.2 as nearly 0.
    """
    gold = [AnnotatedText("Ben was here. Nobody else.", (Span(0, 3, "a"),)) for _ in range(30)]
    answers = []
    for text in range(30):
        answers.append(Answer(text, "a", (0, 13), Finished(absence=0.2)))
        answers.append(Answer(text, "a", (14, 26), Finished(absence=0.9)))
    found = [Prediction((), 1.0)] * 30
    absence = calibrated(answers, found, gold).absence
    assert absence.fitted
    assert absence.of(0.9) > 0.95
    assert absence.of(0.2) < 0.05


def test_the_report_compares_the_errors_without_and_with_the_calibration() -> None:
    """A score of 0.9 that is right once in two is off by 0.4; scaled to 0.5 it is off by 0."""
    gold = [AnnotatedText("Ben", (Span(0, 3, "a"),)), AnnotatedText("Ben")]
    found = [Prediction((Span(0, 3, "a", 0.9),), 0.9)] * 2
    halved = Calibration(Scaling(1e-9, 0.0, 2, fitted=True))
    report = calibration_report(found, gold, halved)
    assert report["calibration_error"] == pytest.approx(0.4)
    assert report["calibration_error_fitted"] == pytest.approx(0.0, abs=1e-6)
