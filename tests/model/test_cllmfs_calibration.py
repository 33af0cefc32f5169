from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.calibration import (
    Calibration,
    Scaling,
    expected_calibration_error,
    fit_scaling,
    span_pairs,
)
from model.spans import AnnotatedText, Prediction, Span

SCORES = st.floats(0.0, 1.0)


def test_two_levels_of_scores_are_fitted_exactly() -> None:
    """40 scores of 0.2, 10 of them right; 40 of 0.9, 30 of them right.

    n1 = n0 = 40, so the smoothed targets are 41/42 and 1/42. Two parameters fit two levels:
        at 0.2: (10 * 41 + 30 * 1) / (40 * 42) = 0.261905
        at 0.9: (30 * 41 + 10 * 1) / (40 * 42) = 0.738095
    slope  = (logit 0.738095 - logit 0.261905) / (logit 0.9 - logit 0.2)
           = (1.036092 + 1.036092) / (2.197225 + 1.386294) = 0.578254
    """
    scores = [0.2] * 40 + [0.9] * 40
    correct = [True] * 10 + [False] * 30 + [True] * 30 + [False] * 10
    scaling = fit_scaling(scores, correct)
    assert (scaling.fitted, scaling.pairs) == (True, 80)
    assert scaling.of(0.2) == pytest.approx(0.261905, abs=1e-5)
    assert scaling.of(0.9) == pytest.approx(0.738095, abs=1e-5)
    assert scaling.slope == pytest.approx(0.578254, abs=1e-4)


def test_calibration_lowers_the_error_of_proud_scores() -> None:
    scores = [0.6] * 50 + [0.99] * 50
    correct = ([True] * 15 + [False] * 35) + ([True] * 35 + [False] * 15)
    scaling = fit_scaling(scores, correct)
    before = expected_calibration_error(scores, correct)
    after = expected_calibration_error([scaling.of(score) for score in scores], correct)
    assert before == pytest.approx(0.295)  # (0.6 - 0.3 + 0.99 - 0.7) / 2
    assert after < 0.02


def test_the_error_is_taken_over_bins() -> None:
    """Bins of width 0.5: {0.1, 0.3} both wrong, {0.5, 1.0} one right.

    2/4 * |0 - 0.2| + 2/4 * |0.5 - 0.75| = 0.1 + 0.125 = 0.225; in one bin
    |0.25 - 0.475| = 0.225 as well, and with the outcomes turned round 0.4 + 0.125 against 0.275.
    """
    scores, correct = [0.1, 0.3, 0.5, 1.0], [False, False, True, False]
    assert expected_calibration_error(scores, correct, bins=2) == pytest.approx(0.225)
    turned = [True, True, False, True]
    assert expected_calibration_error(scores, turned, bins=2) == pytest.approx(0.525)
    assert expected_calibration_error(scores, turned, bins=1) == pytest.approx(0.275)
    assert expected_calibration_error([], []) == 0.0


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(14, 15), (100, 4), (4, 100), (0, 50)],
)
def test_too_few_pairs_leave_the_scores_alone(right: int, wrong: int) -> None:
    scaling = fit_scaling([0.9] * right + [0.3] * wrong, [True] * right + [False] * wrong)
    assert scaling == Scaling(pairs=right + wrong)
    assert scaling.of(0.3) == 0.3


def test_scores_that_mislead_are_left_alone() -> None:
    scaling = fit_scaling([0.9] * 30 + [0.1] * 30, [False] * 30 + [True] * 30)
    assert not scaling.fitted


def test_perfect_scores_stay_finite() -> None:
    scaling = fit_scaling([1.0] * 30 + [0.0] * 30, [True] * 30 + [False] * 30)
    assert scaling.fitted
    assert math.isfinite(scaling.slope)
    assert scaling.of(1.0) == pytest.approx(31 / 32, abs=1e-4)


@given(st.lists(st.tuples(SCORES, st.booleans()), max_size=80), SCORES, SCORES)
def test_a_scaling_keeps_the_order_and_the_range(
    pairs: list[tuple[float, bool]], one: float, other: float
) -> None:
    scaling = fit_scaling([score for score, _ in pairs], [right for _, right in pairs])
    low, high = scaling.of(min(one, other)), scaling.of(max(one, other))
    assert 0.0 <= low <= high <= 1.0


def test_json_gives_the_same_value_back() -> None:
    value = Calibration(Scaling(0.5, -0.25, 40, fitted=True), Scaling(pairs=3))
    assert Calibration.from_json(json.loads(json.dumps(value.to_json()))) == value
    assert Calibration.from_json({}) == Calibration()


def test_pairs_of_spans_compare_place_and_label() -> None:
    predictions = [
        Prediction((Span(0, 3, "A", 0.9), Span(4, 6, "A", 0.5)), 0.5),
        Prediction((Span(0, 3, "B", 0.4),), 0.4),
    ]
    gold = [AnnotatedText("abc de", (Span(0, 3, "A"),)), AnnotatedText("abc", (Span(0, 3, "A"),))]
    assert span_pairs(predictions, gold) == ([0.9, 0.5, 0.4], [True, False, False])
