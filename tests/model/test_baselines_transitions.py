from __future__ import annotations

import itertools
import math

import pytest
import torch

from model.baselines.transitions import (
    FLOOR,
    abstract_transitions,
    best_path,
    log_transitions,
)


def test_transitions_are_counted_without_types() -> None:
    """O O 1 1 2 O and 2: starts O, I; O to O, O to I; 1 to 1 (same), 1 to 2 (other), 2 to O.

    Start: 1/2, 1/2. From O: 1/2, 1/2. From I: one each of O, same and other, so 1/3 each.
    """
    shares = abstract_transitions([[0, 0, 1, 1, 2, 0], [2]])
    third = 1 / 3
    assert shares.tolist() == pytest.approx([0.5, 0.5, 0.5, 0.5, third, third, third])


def test_what_never_occurs_is_spread_evenly() -> None:
    """One text of one O: start is certain, O and I were never left."""
    third = 1 / 3
    assert abstract_transitions([[0], []]).tolist() == pytest.approx(
        [1.0, 0.0, 0.5, 0.5, third, third, third]
    )


def test_transitions_are_spread_over_the_types_of_the_target() -> None:
    """Three types, power 1: from I to each other type half of the share of another I."""
    shares = torch.tensor([0.7, 0.3, 0.9, 0.1, 0.5, 0.3, 0.2])
    first, table = log_transitions(shares, 3, 1.0)
    assert first.exp().tolist() == pytest.approx([0.7, 0.1, 0.1, 0.1])
    assert table.exp()[0].tolist() == pytest.approx([0.9, 0.1 / 3, 0.1 / 3, 0.1 / 3])
    assert table.exp()[2].tolist() == pytest.approx([0.5, 0.1, 0.3, 0.1])


def test_a_power_flattens_and_the_floor_holds() -> None:
    """Power 1/2 on (0.81, 0.09): (0.9, 0.3) / 1.2 = (3/4, 1/4). A zero becomes the floor."""
    shares = torch.tensor([0.81, 0.09, 1.0, 0.0, 1.0, 0.0, 0.0])
    first, table = log_transitions(shares, 1, 0.5)
    assert first.exp().tolist() == pytest.approx([0.75, 0.25])
    assert table[0].tolist() == pytest.approx([0.0, math.log(FLOOR)])


@pytest.mark.parametrize("seed", range(5))
def test_the_best_path_is_the_best_of_all_paths(seed: int) -> None:
    torch.manual_seed(seed)
    emissions, first, table = torch.randn(4, 3), torch.randn(3), torch.randn(3, 3)

    def total(path: tuple[int, ...]) -> float:
        value = float(first[path[0]])
        value += sum(float(emissions[word, tag]) for word, tag in enumerate(path))
        return value + sum(float(table[a, b]) for a, b in itertools.pairwise(path))

    best = max(itertools.product(range(3), repeat=4), key=total)
    assert best_path(emissions, first, table) == list(best)


def test_a_path_may_leave_the_best_tag_of_a_word() -> None:
    """Words (0.6, 0.4) and (0.4, 0.6) of the tags O and I; from O to I only with 0.1.

    O O: .6 * .4 * .9 = .216; O I: .6 * .6 * .1 = .036; I O and I I start with 0.1: less.
    """
    emissions = torch.tensor([[0.6, 0.4], [0.4, 0.6]]).log()
    first, table = torch.tensor([0.9, 0.1]).log(), torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
    assert best_path(emissions, first, table) == [0, 0]
    assert best_path(emissions[:0], first, table) == []
