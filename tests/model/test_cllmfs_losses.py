from __future__ import annotations

import math
from typing import Literal

import pytest
import torch

from model.cllmfs.losses import (
    answer_cross_entropy,
    info_nce,
    pairwise_logistic,
    with_noise,
)


def test_cross_entropy_is_a_weighted_mean() -> None:
    """Two tokens, two classes.

    logits [0, 0], target 0:      -log(1/2)             = 0.693147
    logits [log 3, 0], target 1:  -log(1/4)             = 1.386294
    weights 3 and 1: (3 * 0.693147 + 1.386294) / 4      = 0.866434
    """
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
    loss = answer_cross_entropy(logits, torch.tensor([0, 1]), torch.tensor([3.0, 1.0]))
    assert float(loss) == pytest.approx(0.866434, abs=1e-6)


def test_a_weight_of_zero_leaves_a_token_out() -> None:
    """Only the first token counts: -log(1/2) = 0.693147, though the second is infinitely wrong."""
    logits = torch.tensor([[0.0, 0.0], [1e4, 0.0]])
    loss = answer_cross_entropy(logits, torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    assert float(loss) == pytest.approx(0.693147, abs=1e-6)


def test_info_nce_with_one_negative() -> None:
    """Anchor (1, 0), positive (2, 0), negative (0, 3), temperature 0.5.

    cos(o, p) = 1, cos(o, n) = 0
    loss = -log( e^2 / (e^2 + e^0) ) = log(1 + e^-2) = 0.126928
    """
    loss = info_nce(
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[2.0, 0.0]]),
        torch.tensor([[[0.0, 3.0]]]),
        torch.tensor([[True]]),
        temperature=0.5,
    )
    assert float(loss) == pytest.approx(0.126928, abs=1e-6)


def test_info_nce_is_the_mean_over_mentions_and_ignores_absent_negatives() -> None:
    """Temperature 1.

    mention 1: cos(o, p) = 0, negatives cos 1 and -1:
        -log( 1 / (1 + e + 1/e) )  = log(1 + 2.718282 + 0.367879) = 1.407606
    mention 2: cos(o, p) = 1, one negative with cos 1, the other place is empty:
        -log( e / (e + e) )        = log 2                        = 0.693147
    mean                                                          = 1.050376
    """
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    positives = torch.tensor([[0.0, 1.0], [0.0, 5.0]])
    negatives = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]], [[0.0, 1.0], [0.0, 9.0]]])
    present = torch.tensor([[True, True], [True, False]])
    loss = info_nce(anchors, positives, negatives, present, temperature=1.0)
    assert float(loss) == pytest.approx(1.050376, abs=1e-5)


def test_info_nce_stays_finite_at_small_temperatures_and_pulls_the_right_way() -> None:
    anchors = torch.tensor([[1.0, 0.0]])
    positives = torch.tensor([[0.0, 1.0]], requires_grad=True)
    negatives = torch.tensor([[[1.0, 1.0]]])
    loss = info_nce(anchors, positives, negatives, torch.tensor([[True]]), temperature=1e-3)
    torch.autograd.backward(loss)
    assert math.isfinite(float(loss.detach()))
    assert positives.grad is not None
    assert float(positives.grad[0, 0]) < 0  # a step against it turns the mention to the anchor


@pytest.mark.parametrize(
    ("present", "temperature"), [([[False]], 1.0), ([[True]], 0.0), ([[True]], -1.0)]
)
def test_info_nce_refuses_what_has_no_value(present: list[list[bool]], temperature: float) -> None:
    one = torch.ones(1, 2)
    with pytest.raises(ValueError, match=r"mention|temperature"):
        info_nce(one, one, one.unsqueeze(1), torch.tensor(present), temperature=temperature)


def test_info_nce_refuses_an_empty_batch() -> None:
    with pytest.raises(ValueError, match="mention"):
        info_nce(
            torch.ones(0, 2),
            torch.ones(0, 2),
            torch.ones(0, 1, 2),
            torch.ones(0, 1, dtype=torch.bool),
            temperature=1.0,
        )


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_noise_has_the_promised_size(kind: Literal["normal", "uniform"]) -> None:
    """|p| = 5, s = 0.2: the noise has an expected squared norm of (0.2 * 5)^2 = 1.

    With d = 4000 the squared norm of one draw is within a few percent of that.
    """
    states = torch.zeros(1, 4000)
    states[0, :2] = torch.tensor([3.0, 4.0])
    noisy = with_noise(states, scale=0.2, kind=kind, generator=torch.Generator().manual_seed(1))
    squared = float(((noisy - states) ** 2).sum())
    assert squared == pytest.approx(1.0, rel=0.1)
    if kind == "uniform":
        # bounded by s * |p| / sqrt(d) * sqrt(3)
        assert float((noisy - states).abs().max()) <= 1.0 / 4000**0.5 * 3**0.5 + 1e-6


def test_noise_of_size_zero_changes_nothing_and_norms_carry_no_gradient() -> None:
    states = torch.tensor([[3.0, 4.0]], requires_grad=True)
    generator = torch.Generator().manual_seed(1)
    assert with_noise(states, scale=0.0, kind="normal", generator=generator) is states
    noisy = with_noise(states, scale=0.5, kind="normal", generator=generator)
    torch.autograd.backward(noisy.sum())
    assert states.grad is not None
    assert states.grad.tolist() == [[1.0, 1.0]]


def test_pairwise_logistic() -> None:
    """Anchor (1, 0).

    mention 1: positives (2, 0) and (0, 1): cos 1 + 0 = 1; negatives (-3, 0), (1, 1): cos
        -1 + 0.707107 = -0.292893; -log sigmoid(1.292893) = log(1 + e^-1.292893) = 0.242535
    mention 2: positives (-1, 0) twice: -2; one negative (5, 0): 1, the other place is empty;
        -log sigmoid(-3) = log(1 + e^3) = 3.048587
    mean                                = 1.645561
    """
    anchors = torch.tensor([[1.0, 0.0], [4.0, 0.0]])
    positives = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [-1.0, 0.0]]])
    negatives = torch.tensor([[[-3.0, 0.0], [1.0, 1.0]], [[5.0, 0.0], [7.0, 0.0]]])
    present = torch.tensor([[True, True], [True, False]])
    loss = pairwise_logistic(anchors, positives, negatives, present)
    assert float(loss) == pytest.approx(1.645561, abs=1e-5)


def test_pairwise_logistic_lies_within_its_bounds() -> None:
    """Two positives and four negatives: the argument lies in [-6, 6].

    best: log(1 + e^-6) = 0.002476, worst: log(1 + e^6) = 6.002476
    """
    one = torch.tensor([[1.0, 0.0]])
    near, far = one.expand(1, 2, 2), -one.expand(1, 4, 2)
    everyone = torch.ones(1, 4, dtype=torch.bool)
    best = pairwise_logistic(one, near, far, everyone)
    worst = pairwise_logistic(one, -near, -far, everyone)
    assert float(best) == pytest.approx(0.002476, abs=1e-6)
    assert float(worst) == pytest.approx(6.002476, abs=1e-5)


def test_pairwise_logistic_refuses_an_empty_batch() -> None:
    with pytest.raises(ValueError, match="mention"):
        pairwise_logistic(
            torch.ones(0, 2),
            torch.ones(0, 2, 2),
            torch.ones(0, 4, 2),
            torch.ones(0, 4, dtype=torch.bool),
        )
