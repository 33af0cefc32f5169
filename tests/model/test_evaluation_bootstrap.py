from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.bootstrap import Counts, holm, mean_f1, paired_bootstrap


def counts(*supports: list[tuple[int, int, int]]) -> Counts:
    return np.array(supports, dtype=np.float64)


RIGHT, WRONG, SILENT = (1, 1, 1), (0, 1, 1), (0, 0, 1)


def test_mean_f1_averages_over_support_sets() -> None:
    """First set: 2 * 1 / (2 + 2) = 1/2. Second: 2 * 1 / (1 + 2) = 2/3. Mean 7/12."""
    assert mean_f1(counts([RIGHT, WRONG], [RIGHT, SILENT])) == pytest.approx(7 / 12)
    assert mean_f1(counts([(0, 0, 0)])) == 0.0


def test_equal_systems_do_not_differ() -> None:
    system = counts([RIGHT, WRONG, SILENT], [RIGHT, RIGHT, SILENT])
    found = paired_bootstrap(system, system.copy(), draws=300)
    assert (found.difference, found.mean, found.low, found.high) == (0, 0, 0, 0)
    assert found.p == 1.0
    assert not found.shown


def test_a_system_that_is_always_better_is_shown_to_be() -> None:
    """Right everywhere against right nowhere: every draw differs by 1. p = 2 * (1 + 0) / 1001."""
    found = paired_bootstrap(counts([RIGHT] * 5), counts([WRONG] * 5), draws=1000)
    assert (found.difference, found.mean, found.low, found.high) == (1, 1, 1, 1)
    assert found.p == pytest.approx(2 / 1001)
    assert found.shown
    turned = paired_bootstrap(counts([WRONG] * 5), counts([RIGHT] * 5), draws=1000)
    assert (turned.difference, turned.p) == (-1, found.p)


def test_two_sentences_by_hand() -> None:
    """Two sentences, one support set; A is right on the first only, B on the second only.

    Of the four equally likely draws (1,1), (1,2), (2,1), (2,2) the difference F1(A) - F1(B) is
    1, 0, 0, -1. So its mean is 0, 3 of 4 draws lie at or below 0, 3 of 4 at or above: p = 1.
    """
    found = paired_bootstrap(counts([RIGHT, WRONG]), counts([WRONG, RIGHT]), draws=20_000, seed=3)
    assert found.difference == 0
    assert found.mean == pytest.approx(0, abs=0.02)
    assert (found.low, found.high) == (-1, 1)
    assert found.p == 1.0


def test_one_sentence_that_speaks_for_a_system() -> None:
    """A is right on both sentences, B on the second only; one support set.

    F1(A) = 1 always. F1(B) is 0, 1/2, 1/2, 1 in the four draws, so the differences are 1, 1/2,
    1/2, 0: mean 1/2. At or below 0 lies 1 of 4 draws: p = 2 * 1/4 = 1/2.
    """
    found = paired_bootstrap(counts([RIGHT, RIGHT]), counts([WRONG, RIGHT]), draws=20_000)
    assert found.difference == pytest.approx(1 / 2)
    assert found.mean == pytest.approx(1 / 2, abs=0.01)
    assert (found.low, found.high) == (0, 1)
    assert found.p == pytest.approx(1 / 2, abs=0.02)
    assert not found.shown


def test_support_sets_are_drawn_too_unless_they_are_fixed() -> None:
    """One sentence, two support sets; A is right under both, B under the second only.

    Drawing sets: the difference is 1, 1/2, 1/2, 0, as above. Sets fixed: always 1 - 1/2 = 1/2.
    """
    one, two = counts([RIGHT], [RIGHT]), counts([WRONG], [RIGHT])
    drawn = paired_bootstrap(one, two, draws=20_000)
    assert (drawn.low, drawn.high) == (0, 1)
    assert drawn.p == pytest.approx(1 / 2, abs=0.02)
    fixed = paired_bootstrap(one, two, draws=1000, resample_supports=False)
    assert (fixed.low, fixed.high) == (0.5, 0.5)
    assert fixed.p == pytest.approx(2 / 1001)


def test_a_draw_takes_the_same_sentences_in_every_support_set() -> None:
    """Two sets of one outcome: with common sentences the spread is that of a single set."""
    one = counts([RIGHT, WRONG] * 20)
    two = counts([WRONG, WRONG] * 20)
    single = paired_bootstrap(one, two, draws=2000)
    double = paired_bootstrap(
        np.concatenate([one, one]), np.concatenate([two, two]), draws=2000, resample_supports=False
    )
    assert (double.low, double.high) == (single.low, single.high)


def test_the_seed_fixes_everything() -> None:
    one, two = counts([RIGHT, WRONG, SILENT] * 9), counts([WRONG, RIGHT, RIGHT] * 9)
    assert paired_bootstrap(one, two, draws=700) == paired_bootstrap(one, two, draws=700)
    assert paired_bootstrap(one, two, draws=700) != paired_bootstrap(one, two, draws=700, seed=1)


def test_unequal_or_empty_counts_are_refused() -> None:
    for one, two in [
        (counts([RIGHT]), counts([RIGHT, RIGHT])),
        (np.zeros((0, 1, 3)), np.zeros((0, 1, 3))),
        (np.zeros((1, 1, 2)), np.zeros((1, 1, 2))),
    ]:
        with pytest.raises(ValueError, match="support"):
            paired_bootstrap(one, two)
    with pytest.raises(ValueError, match="at least one"):
        paired_bootstrap(counts([RIGHT]), counts([RIGHT]), draws=0)


def test_holm() -> None:
    """Sorted 0.01, 0.03, 0.04: times 3, 2, 1 gives 0.03, 0.06, 0.04, and the last is raised."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_runs_of_one_support_set_are_averaged_before_sets_are() -> None:
    """One sentence, F1 1, 1, 1 with the first set and 0 with the second: (1 + 0) / 2, not 3/4.

    A draw of two sets has both the first with probability 1/4, so the bounds are 0 and 1.
    """
    own = np.array([[[1.0, 1.0, 1.0]]] * 3 + [[[0.0, 0.0, 1.0]]])
    nothing = np.array([[[0.0, 0.0, 1.0]]] * 4)
    assert mean_f1(own) == 0.75
    assert mean_f1(own, [0, 0, 0, 1]) == 0.5
    found = paired_bootstrap(own, nothing, draws=400, sets=[0, 0, 0, 1])
    assert found.difference == 0.5
    assert found.mean == pytest.approx(0.5, abs=0.06)
    assert (found.low, found.high) == (0.0, 1.0)
    fixed = paired_bootstrap(own, nothing, draws=50, sets=[0, 0, 0, 1], resample_supports=False)
    assert (fixed.low, fixed.high) == (0.5, 0.5)
    for wrong in ([0, 0, 0], [0, 0, 0, 2]):
        with pytest.raises(ValueError, match="support set"):
            paired_bootstrap(own, nothing, sets=wrong)
