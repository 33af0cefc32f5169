from __future__ import annotations

import math

import pytest
import torch

from model.baselines.contrast import container_loss, pair_loss, share_loss

LOG2, LOG3 = math.log(2), math.log(3)
# e^-d of the pairs 0-1, 0-2, 1-2 is 1/2, 1/4, 1/4
DISTANCES = torch.tensor([[0.0, LOG2, 2 * LOG2], [LOG2, 0.0, 2 * LOG2], [2 * LOG2, 2 * LOG2, 0.0]])


def test_container_pulls_a_class_together_in_bits() -> None:
    """Classes 1, 1, 0. Anchor 0: -log2(1/2) + log2(1/2 + 1/4) + log2(1) = log2(3/2); anchor 1 the
    same; token 2 is alone in its class and no anchor. The mean is log2(3/2)."""
    loss = container_loss(DISTANCES, torch.tensor([1, 1, 0]))
    assert float(loss) == pytest.approx(math.log2(1.5))


def test_container_divides_by_the_number_of_positives() -> None:
    """All of class 1. Anchor 0: own and all are 3/4, and log2 |P| = log2 2 = 1; likewise the
    others: own = all, so each anchor has 1."""
    assert float(container_loss(DISTANCES, torch.tensor([1, 1, 1]))) == pytest.approx(1.0)


def test_container_may_leave_out_anchors_outside() -> None:
    """Classes 0, 0, 1 have no anchor but the O tokens; without these the loss is 0."""
    classes = torch.tensor([0, 0, 1])
    assert float(container_loss(DISTANCES, classes)) == pytest.approx(math.log2(1.5))
    assert float(container_loss(DISTANCES, classes, anchor_outside=False)) == 0.0


def test_proml_asks_for_the_share_of_the_own_class() -> None:
    """Query 0 of class 1; support e^-d = 1, 1/2, 1/4 of classes 1, 1, 0: share 6/7. Query 1 of
    class 2, which the support lacks, does not count."""
    classes, support = torch.tensor([1, 2]), torch.tensor([1, 1, 0])
    loss = share_loss(DISTANCES[:2], classes, support)
    assert float(loss) == pytest.approx(math.log(7 / 6))


def test_proml_among_themselves_finds_no_token_itself() -> None:
    """Classes 1, 1, 0: query 0 has (1/2) / (3/4) = 2/3, query 1 too, query 2 has no other."""
    classes = torch.tensor([1, 1, 0])
    loss = share_loss(DISTANCES, classes, classes, among_themselves=True)
    assert float(loss) == pytest.approx(math.log(1.5))


def test_tadner_contrasts_pairs_of_label_and_word() -> None:
    """Words 1 and 2, labels 3 and 1 (d = 1), types 0 and 1, temperature 1.

    Spoken: [3; 1], [1; 2]; heard: [1; 3], [2; 1]. Products: 3 + 3 = 6 and 6 + 1 = 7; 1 + 6 = 7 and
    2 + 2 = 4. Columns (6, 7) and (7, 4) have lengths sqrt(85) and sqrt(65). With logits z the loss
    is 1/2 [ (log(e^z00 + e^z01) - z00) + (log(e^z10 + e^z11) - z11) ].
    """
    z = [[6 / 85**0.5, 7 / 65**0.5], [7 / 85**0.5, 4 / 65**0.5]]
    rows = [math.log(sum(map(math.exp, row))) - row[k] for k, row in enumerate(z)]
    words, labels = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [1.0]])
    loss = pair_loss(words, labels, torch.tensor([0, 1]), 1.0)
    assert float(loss) == pytest.approx(sum(rows) / 2)
    # of one type, every pair counts: the sum over tokens of the mean over both columns
    both = [2 * math.log(sum(map(math.exp, row))) - sum(row) for row in z]
    same = pair_loss(words, labels, torch.tensor([1, 1]), 1.0)
    assert float(same) == pytest.approx(sum(both) / 2)


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 0, 0]])
def test_losses_have_gradients_whatever_the_classes(classes: list[int]) -> None:
    for loss in (container_loss, lambda d, c: share_loss(d, c, c, among_themselves=True)):
        distances = DISTANCES.clone().requires_grad_()
        torch.autograd.backward(loss(distances, torch.tensor(classes)))
        assert distances.grad is not None
        assert bool(distances.grad.isfinite().all())
