"""The contrastive term: states of names, mentions and neighbouring words, pooled and compared."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Contrast
from model.cllmfs.losses import info_nce, pairwise_logistic, with_noise


def contrast_loss(
    hidden: Tensor,
    sets: Sequence[tuple[int, Contrast]],
    config: CllmfsConfig,
    noise: torch.Generator,
) -> Tensor:
    """The contrastive term over the mentions of a batch.

    Args:
        hidden: States of the block the term reads, row behind row. Shape ``(n, d)``.
        sets: For each mention where its row starts, and its contrast set; at least one.
        config: Kind, temperature and noise.
        noise: Source of the noise on the positives.

    Returns:
        In nats. Scalar.
    """
    anchors = _pooled(hidden, [(start, item.anchor) for start, item in sets])  # (m, d)
    width = max(len(item.negatives) for _, item in sets)
    # Mentions with fewer negatives repeat their first one in the places that ``present`` hides.
    padded = [
        (start, (*item.negatives, *[item.negatives[0]] * (width - len(item.negatives))))
        for start, item in sets
    ]
    negatives = _pooled(hidden, [(start, part) for start, words in padded for part in words])
    present = torch.tensor([[k < len(item.negatives) for k in range(width)] for _, item in sets])
    present = present.to(hidden.device)
    negatives = negatives.reshape(len(sets), width, -1)  # (m, k, d)
    if config.contrast == "pairwise":
        edges = [(start, (token,)) for start, item in sets for token in _edges(item)]
        pairs = _pooled(hidden, edges).reshape(len(sets), 2, -1)  # (m, 2, d)
        return pairwise_logistic(anchors, pairs, negatives, present)
    positives = _pooled(hidden, [(start, item.positive) for start, item in sets])  # (m, d)
    noisy = with_noise(positives, scale=config.noise_scale, kind=config.noise, generator=noise)
    return info_nce(anchors, noisy, negatives, present, temperature=config.temperature)


def _edges(item: Contrast) -> tuple[int, int]:
    return item.positive[0], item.positive[-1]


def _pooled(hidden: Tensor, groups: Sequence[tuple[int, tuple[int, ...]]]) -> Tensor:
    index = [start + token for start, tokens in groups for token in tokens]
    owner = [row for row, (_, tokens) in enumerate(groups) for _ in tokens]
    sizes = torch.tensor([len(tokens) for _, tokens in groups]).to(hidden)
    summed = hidden.new_zeros(len(groups), hidden.shape[-1]).index_add(
        0,
        torch.tensor(owner, device=hidden.device),
        hidden[torch.tensor(index, device=hidden.device)],
    )
    return summed / sizes.unsqueeze(1)  # (groups, d)
