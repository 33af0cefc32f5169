from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.bootstrap import paired_bootstrap, paired_draws
from model.evaluation.paired import differences, paired_counts
from model.spans import Span

GOLD = [[Span(0, 3, "PER"), Span(4, 7, "LOC")], [Span(0, 3, "PER")]]
FIRST = [[Span(0, 3, "PER")], [Span(0, 3, "PER"), Span(4, 5, "ORG")]]
SECOND = [[Span(0, 3, "LOC")], [Span(0, 3, "PER")]]


def test_counts_are_taken_by_label() -> None:
    """LOC, ORG, PER; in each the two documents' (correct, predicted, gold)."""
    counts = paired_counts(GOLD, FIRST, SECOND)
    assert counts.labels == ("LOC", "ORG", "PER")
    assert counts.documents == 2
    assert counts.first.tolist() == [
        [[0, 0, 1], [0, 0, 0]],
        [[0, 0, 0], [0, 1, 0]],
        [[1, 1, 1], [1, 1, 1]],
    ]
    assert counts.second.tolist() == [
        [[0, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0]],
        [[0, 0, 1], [1, 1, 1]],
    ]


def test_answers_to_other_documents_are_refused() -> None:
    with pytest.raises(ValueError, match="each document"):
        paired_counts(GOLD, FIRST, SECOND[:1])


def test_differences_by_hand() -> None:
    """All labels: first 2 of 3 predicted and 3 gold, F1 4/6; second 1 of 2 and 3, F1 2/5.

    PER: first 2, 2, 2, so F1 1; second 1, 1, 2, so F1 2/3.
    """
    whole, (place, wrong, person) = differences(
        paired_counts(GOLD, FIRST, SECOND), level=0.05, label_level=0.05, draws=500, seed=1
    )
    assert whole.gold == 3
    assert [whole.first, whole.second] == pytest.approx([2 / 3, 0.4])
    assert whole.delta == pytest.approx(2 / 3 - 0.4)
    assert [person.first, person.second] == pytest.approx([1.0, 2 / 3])
    assert (person.low, person.high) == (0.0, 1.0)  # the second document twice, the first twice
    assert (place.delta, wrong.gold) == (0.0, 0)


def test_a_level_is_what_lies_outside_the_interval() -> None:
    """20 documents, one of them better: the difference is 0 in (19/20)^20 = 36 % of the draws.

    So the lower bound is 0 while less than 72 % may lie outside, and above 0 at 80 %.
    """
    gold = [[Span(0, 1, "A")]] * 20
    counts = paired_counts(gold, gold, [[], *gold[1:]])
    found = [
        differences(counts, level=level, label_level=level, draws=4000, seed=1)[0].low
        for level in (0.05, 0.65, 0.80)
    ]
    assert found[0] == found[1] == 0.0
    assert found[2] > 0.0


def test_labels_may_have_a_level_of_their_own() -> None:
    gold = [[Span(0, 1, "A")]] * 30
    nothing: list[list[Span]] = [[]]
    said = nothing * 15 + gold[15:]
    counts = paired_counts(gold, said, gold)
    whole, (label,) = differences(counts, level=0.5, label_level=0.01, draws=2000, seed=1)
    assert label.low < whole.low < whole.high < label.high


def test_one_group_draws_what_the_paired_bootstrap_draws() -> None:
    generator = np.random.default_rng(3)
    gold = generator.integers(1, 4, (1, 30))
    sides = [
        np.stack([np.minimum(found, gold), found, gold], axis=-1).astype(np.float64)
        for found in generator.integers(0, 4, (2, 1, 30))
    ]
    drawn = paired_draws(sides[0], sides[1], draws=700, seed=5)
    known = paired_bootstrap(sides[0], sides[1], draws=700, seed=5, resample_supports=False)
    assert drawn.shape == (700, 1)
    assert np.percentile(drawn, (2.5, 97.5)).tolist() == [known.low, known.high]
    assert drawn.mean() == pytest.approx(known.mean)


def test_draws_need_counts_of_one_shape() -> None:
    with pytest.raises(ValueError, match="one shape"):
        paired_draws(np.zeros((1, 2, 3)), np.zeros((1, 3, 3)))
    with pytest.raises(ValueError, match="at least one"):
        paired_draws(np.zeros((1, 0, 3)), np.zeros((1, 0, 3)))
