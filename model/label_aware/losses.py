"""Distances and the two losses of the label-aware method."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from model.encoding.gaussian import Gaussians, squared_distances, symmetrised_kl
from model.label_aware.config import Distance

_FAR = -1e9


def distances(first: Gaussians, second: Gaussians, kind: Distance) -> Tensor:
    """The distance of every pair. Shape ``(n, m)``.

    Args:
        first: ``n`` Gaussians.
        second: ``m`` Gaussians.
        kind: ``kl`` is the mean of both KL divergences in nats, which the paper calls
            Jensen-Shannon; ``euclidean`` the squared distance of the means of length one, in
            [0, 4]; ``cosine`` one minus their cosine, in [0, 2].
    """
    if kind == "kl":
        return symmetrised_kl(first, second)
    ones, others = F.normalize(first.means, dim=-1), F.normalize(second.means, dim=-1)
    if kind == "cosine":
        return 1 - ones @ others.T
    return squared_distances(ones, others)


def context_context_loss(
    apart: Tensor,
    labels: Tensor,
    groups: Tensor | None = None,
    *,
    temperature: float = 1.0,
    outside_weight: float = 1.0,
) -> Tensor:
    """Pull words of one label together (Zhang and Zhuang, arXiv:2404.17178, section 3).

    ``-1/|P(i)| sum_{p in P(i)} [ -d_ip/T - log sum_{j != i} e^{-d_ij/T} ]``, the mean over words
    with at least one positive. A label that occurs once gives nothing; nothing is divided by zero.

    Args:
        apart: Distances of all words to all words. Shape ``(n, n)``.
        labels: The label of each word, 0 for none. Shape ``(n,)``.
        groups: Only words of one group are compared. Shape ``(n,)``; None compares all.
        temperature: ``T``, above zero.
        outside_weight: Weight of the words without a label as anchors.

    Returns:
        In nats. Scalar; 0 where no word has a positive.
    """
    others = ~torch.eye(len(labels), dtype=torch.bool)  # (n, n)
    if groups is not None:
        others &= groups[:, None] == groups
    positives = others & (labels[:, None] == labels)  # (n, n)
    shares = (-apart / temperature).masked_fill(~others, _FAR).log_softmax(-1)  # (n, n)
    counts = positives.sum(-1)  # (n,)
    each = -(shares * positives).sum(-1) / counts.clamp_min(1)  # (n,)
    weights = torch.where(labels == 0, outside_weight, 1.0) * (counts > 0)  # (n,)
    return (each * weights).sum() / weights.sum().clamp_min(1e-9)


def context_label_loss(similarities: Tensor, gold: Tensor) -> Tensor:
    """Pull words towards their label's Gaussian in the same text: softmax cross-entropy.

    Args:
        similarities: ``-d / T`` of words to "no label" and the labels. Shape ``(n, k + 1)``.
        gold: Which of them are right, at least one in a row. Shape ``(n, k + 1)``, bool.

    Returns:
        ``-log`` of the share of what is right, mean over words, in nats. Scalar.
    """
    right = similarities.masked_fill(~gold, _FAR).logsumexp(-1)  # (n,)
    return (similarities.logsumexp(-1) - right).mean()


def each_label_loss(similarities: Tensor, gold: Tensor) -> Tensor:
    """The same for overlapping spans: each label against "no label" alone.

    Args:
        similarities: As for :func:`context_label_loss`.
        gold: The same; its first column does not matter.

    Returns:
        Binary cross-entropy, mean over words and labels, in nats. Scalar.
    """
    odds = similarities[:, 1:] - similarities[:, :1]  # (n, k)
    return F.binary_cross_entropy_with_logits(odds, gold[:, 1:].float())
