"""The parts of the training objective: answer cross-entropy, two contrastive terms, noise."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def answer_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the cross-entropy over answer tokens.

    ``sum_i w_i * -log softmax(logits_i)[target_i] / sum_i w_i``

    Args:
        logits: One row per answer token. Shape ``(n, v)``.
        targets: Token ids. Shape ``(n,)``, int64.
        weights: Weight of each token; not all zero. Shape ``(n,)``.

    Returns:
        In nats. Scalar.
    """
    losses = F.cross_entropy(logits.float(), targets, reduction="none")  # (n,)
    return (losses * weights).sum() / weights.sum()


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor,
    present: Tensor,
    *,
    temperature: float,
) -> Tensor:
    """Pull each mention towards the name of its type and away from the words beside it.

    ``-log( e^{cos(o,p)/t} / ( e^{cos(o,p)/t} + sum_n e^{cos(o,n)/t} ) )``, mean over mentions: the
    InfoNCE of CLLMFS (Zhang et al., ECAI 2024, arXiv:2408.12834) as its summary describes it.

    Args:
        anchors: State of the type name, per mention. Shape ``(m, d)``.
        positives: State of the mention, noise included. Shape ``(m, d)``.
        negatives: States of the neighbouring words. Shape ``(m, k, d)``.
        present: True where ``negatives`` holds a word; at least one per mention. Shape ``(m, k)``.
        temperature: Divides the cosines. Above zero.

    Returns:
        In nats. Scalar.

    Raises:
        ValueError: If there is no mention, one without a negative, or ``temperature`` <= 0.
    """
    if temperature <= 0:
        raise ValueError("the temperature must be above zero")
    if anchors.shape[0] == 0 or not bool(present.any(dim=1).all()):
        raise ValueError("every mention needs a negative, and there must be a mention")
    near = F.cosine_similarity(anchors, positives, dim=-1) / temperature  # (m,)
    far = F.cosine_similarity(anchors.unsqueeze(1), negatives, dim=-1) / temperature  # (m, k)
    far = far.masked_fill(~present, float("-inf"))
    everything = torch.cat([near.unsqueeze(1), far], dim=1)  # (m, 1 + k)
    return (torch.logsumexp(everything, dim=1) - near).mean()


def pairwise_logistic(
    anchors: Tensor, positives: Tensor, negatives: Tensor, present: Tensor
) -> Tensor:
    """Ask that a mention's tokens be closer to the name of its type than the tokens beside it.

    ``-log sigmoid( sum_p cos(o,p) - sum_n cos(o,n) )``, mean over mentions: the contrastive term of
    public code that resembles CLLMFS (llm_ner; BANER, COLING 2025, arXiv:2412.02228), with the
    first and the last token of the mention as positives and two tokens on each side as negatives.

    Args:
        anchors: State of the type name, per mention. Shape ``(m, d)``.
        positives: States of the mention's first and last token. Shape ``(m, p, d)``.
        negatives: States of the tokens beside it. Shape ``(m, k, d)``.
        present: True where ``negatives`` holds a token. Shape ``(m, k)``.

    Returns:
        In nats. Scalar.

    Raises:
        ValueError: If there is no mention.
    """
    if anchors.shape[0] == 0:
        raise ValueError("there must be a mention")
    origin = anchors.unsqueeze(1)  # (m, 1, d)
    near = F.cosine_similarity(origin, positives, dim=-1).sum(dim=1)  # (m,)
    far = F.cosine_similarity(origin, negatives, dim=-1)  # (m, k)
    return -F.logsigmoid(near - far.masked_fill(~present, 0.0).sum(dim=1)).mean()


def with_noise(
    states: Tensor,
    *,
    scale: float,
    kind: Literal["normal", "uniform"],
    generator: torch.Generator,
) -> Tensor:
    """Add noise of a size relative to each state: ``p + s * |p| / sqrt(d) * g``.

    The norm is detached. ``g`` has mean 0 and variance 1 in both kinds, so that the noise has a
    norm of about ``s * |p|``.

    Args:
        states: Shape ``(m, d)``.
        scale: ``s``; 0 gives the states back.
        kind: Distribution of ``g``: standard normal, or uniform on [-sqrt 3, sqrt 3].
        generator: Source of randomness, on the CPU.

    Returns:
        Shape ``(m, d)``.
    """
    if scale == 0:
        return states
    shape = states.shape
    if kind == "normal":
        draw = torch.randn(shape, generator=generator)
    else:
        draw = (torch.rand(shape, generator=generator) * 2 - 1) * 3**0.5
    norms = torch.linalg.vector_norm(states.detach(), dim=-1, keepdim=True)  # (m, 1)
    size: Tensor = scale * norms / shape[-1] ** 0.5
    return states + size * draw.to(states)
