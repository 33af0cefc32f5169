"""What a second answer fixes and what it breaks."""

from __future__ import annotations

from model.evaluation.changes import Change, LabelChange, change_of
from model.spans import Span

ADA, PARIS = Span(0, 3, "PER"), Span(10, 15, "LOC")


def test_equal_answers_are_no_change_whatever_their_scores() -> None:
    assert (
        change_of([ADA], [Span(0, 3, "PER", 0.2), PARIS], [PARIS, Span(0, 3, "PER", 0.9)]) is None
    )
    assert change_of([], [], []) is None


def test_an_error_that_goes_away_is_a_fix() -> None:
    """Errors of the first: Ada missing, Paris taken for a person. Of the second: Ada missing."""
    wrong = Span(10, 15, "PER")
    assert change_of([ADA, PARIS], [wrong], [PARIS]) == Change(
        "fixed", 2, 0, (LabelChange("LOC", 1, 0), LabelChange("PER", 1, 0))
    )


def test_an_error_that_comes_is_a_break() -> None:
    assert change_of([ADA], [ADA], []) == Change("broken", 0, 1, (LabelChange("PER", 0, 1),))
    assert change_of([], [], [ADA]) == Change("broken", 0, 1, (LabelChange("PER", 0, 1),))


def test_one_wrong_boundary_for_another_is_neither() -> None:
    """Gold [0, 3). Both miss it; the first says [0, 2) instead, the second [0, 4)."""
    found = change_of([ADA], [Span(0, 2, "PER")], [Span(0, 4, "PER")])
    assert found == Change("other", 1, 1, (LabelChange("PER", 1, 1),))
    assert change_of([ADA, PARIS], [ADA], [PARIS]) == Change(
        "other", 1, 1, (LabelChange("LOC", 1, 0), LabelChange("PER", 0, 1))
    )
