from __future__ import annotations

import math

import pytest
import torch

from model.encoding.gaussian import Gaussians
from model.label_aware.losses import (
    context_context_loss,
    context_label_loss,
    distances,
    each_label_loss,
)


def test_words_of_one_label_are_pulled_together() -> None:
    """Three words, labels 1 1 2, T = 1, d_12 = 1, d_13 = 2, d_23 = 3.

    Word 1: -log( e^-1 / (e^-1 + e^-2) ) = log(1 + e^-1); word 2: log(1 + e^-2); word 3 has no
    positive. Mean = (0.313262 + 0.126928) / 2.
    """
    apart = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
    loss = context_context_loss(apart, torch.tensor([1, 1, 2]))
    assert float(loss) == pytest.approx(0.220095, abs=1e-5)


def test_the_sum_over_positives_stands_outside_the_logarithm() -> None:
    """Words 1 1 1 with d_12 = 1, d_13 = 3, d_23 = 2, all alike in label: every other is a positive.

    Word 1: 1/2 [ (1 + L) + (3 + L) ], L = log(e^-1 + e^-3); word 2: 1/2 [1 + 2] + log(e^-1 + e^-2);
    word 3: 1/2 [3 + 2] + log(e^-3 + e^-2). Inside the logarithm each would be 0.
    """
    apart = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    expected = [
        2.0 + math.log(math.exp(-1) + math.exp(-3)),
        1.5 + math.log(math.exp(-1) + math.exp(-2)),
        2.5 + math.log(math.exp(-3) + math.exp(-2)),
    ]
    loss = context_context_loss(apart, torch.ones(3, dtype=torch.long))
    assert float(loss) == pytest.approx(sum(expected) / 3, abs=1e-5)


def test_groups_temperature_and_weight_of_words_outside() -> None:
    """Two groups of two words each at distance 1: the only other word is the positive, loss 0.

    With one group at T = 2: d = 1 inside a pair, 4 across: log(1 + 2 e^(-(4 - 1) / 2)) for every
    word. With weight 0 for label 0 only the first pair counts, which has the same loss.
    """
    near, far = 1.0, 4.0
    apart = torch.tensor(
        [[0, near, far, far], [near, 0, far, far], [far, far, 0, near], [far, far, near, 0]]
    )
    labels = torch.tensor([1, 1, 0, 0])
    assert float(context_context_loss(apart, labels, torch.tensor([0, 0, 1, 1]))) == 0.0
    expected = math.log(1 + 2 * math.exp(-1.5))
    for weight in (1.0, 0.0):
        loss = context_context_loss(apart, labels, temperature=2.0, outside_weight=weight)
        assert float(loss) == pytest.approx(expected, abs=1e-5)
    assert float(context_context_loss(apart, labels, outside_weight=0.5)) > 0


def test_lone_words_cost_nothing_and_keep_gradients_finite() -> None:
    apart = torch.zeros(2, 2, requires_grad=True)
    for labels in (torch.tensor([1, 2]), torch.tensor([1, 1])):
        loss = context_context_loss(apart, labels)
        torch.autograd.backward(loss)
        assert apart.grad is not None
        assert bool(torch.isfinite(apart.grad).all())
    assert float(context_context_loss(torch.zeros(1, 1), torch.tensor([0]))) == 0.0


def test_words_are_pulled_to_what_is_right() -> None:
    """Similarities [0, 1] with the second right: log(1 + e^-1) = 0.313262.

    Where two of three labels are right, similarities [0, 1, 2]: -log of their common share,
    log(1 + e + e^2) - log(e + e^2) = 2.407606 - 2.313262 = 0.094344.
    """
    one = context_label_loss(torch.tensor([[0.0, 1.0]]), torch.tensor([[False, True]]))
    assert float(one) == pytest.approx(0.313262, abs=1e-5)
    both = context_label_loss(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[False, True, True]]))
    assert float(both) == pytest.approx(0.094344, abs=1e-5)


def test_each_label_alone_against_none() -> None:
    """Log-odds 1 - 0 and 2 - 0, the first right, the second wrong.

    ( log(1 + e^-1) + log(1 + e^2) ) / 2 = (0.313262 + 2.126928) / 2.
    """
    loss = each_label_loss(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[False, True, False]]))
    assert float(loss) == pytest.approx(1.220095, abs=1e-5)


def test_distances_between_means_of_length_one() -> None:
    """(3, 4) and (0, 2): lengths one (0.6, 0.8) and (0, 1), cosine 0.8.

    Squared distance 0.36 + 0.04 = 0.4 = 2 (1 - 0.8); cosine distance 0.2.
    """
    first = Gaussians(torch.tensor([[3.0, 4.0]]), torch.ones(1, 2))
    second = Gaussians(torch.tensor([[0.0, 2.0]]), torch.full((1, 2), 9.0))
    assert float(distances(first, second, "euclidean")) == pytest.approx(0.4, abs=1e-6)
    assert float(distances(first, second, "cosine")) == pytest.approx(0.2, abs=1e-6)
