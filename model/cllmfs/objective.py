"""The objective of a few packed rows: answer cross-entropy and the contrastive term."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from model.base.load import LoadedBase
from model.cllmfs.config import CllmfsConfig, contrast_block
from model.cllmfs.examples import Contrast, TrainingRow
from model.cllmfs.losses import answer_cross_entropy, info_nce, with_noise
from model.cllmfs.packing import IGNORED, Batch, collate, tree_mask

TOKENS_AT_ONCE = 1536
"""Most tokens, padding included, that are read in one pass: they bound the memory of a step."""

_LENGTH_STEP = 16
_ANSWER_STEP = 64


@dataclass(frozen=True, slots=True)
class PartLosses:
    """Mean losses of some rows in nats; ``contrast`` is None where no mention took part."""

    answer: Tensor
    contrast: Tensor | None


def answer_weight(row: TrainingRow) -> float:
    """Sum of the weights of a row's answer tokens."""
    pairs = zip(row.pack.targets, row.pack.weights, strict=True)
    return sum(weight for target, weight in pairs if target != IGNORED)


def parts_of(rows: Sequence[TrainingRow], limit: int) -> list[list[TrainingRow]]:
    """Split the rows of a step into parts of at most ``limit`` tokens, padding included.

    Rows of similar length come together; a row longer than the limit is a part of its own.
    """
    parts: list[list[TrainingRow]] = []
    for row in sorted(rows, key=lambda row: len(row.pack.ids)):
        length = math.ceil(len(row.pack.ids) / _LENGTH_STEP) * _LENGTH_STEP
        if parts and length * (len(parts[-1]) + 1) <= limit:
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def objective(
    base: LoadedBase,
    rows: Sequence[TrainingRow],
    config: CllmfsConfig,
    *,
    padding: int,
    noise: torch.Generator,
) -> PartLosses:
    """Read rows with the active LoRA and compute their losses.

    Args:
        base: The base model.
        rows: At least one.
        config: Gives the contrastive term's settings.
        padding: Token id of the padding.
        noise: Source of the noise on the positives.
    """
    batch = collate(
        [row.pack for row in rows], padding=padding, device=base.device, multiple=_LENGTH_STEP
    )
    low = base.dtype == torch.bfloat16
    with torch.autocast(base.device.type, dtype=torch.bfloat16) if low else nullcontext():
        output = base.decoder(
            input_ids=batch.ids,
            attention_mask=tree_mask(batch.owners, batch.ids.shape[1]),
            position_ids=batch.positions,
            use_cache=False,
            output_hidden_states=config.contrast_weight > 0,
        )
        states, targets, weights = _scored(output.last_hidden_state, batch)
        logits = states @ base.output_weight.T  # (a, v)
    if any(answer_weight(row) for row in rows):
        answer = answer_cross_entropy(logits, targets, weights)
    else:
        answer = logits.sum() * 0.0  # only rows that were given no weight
    sets = [(number, item) for number, row in enumerate(rows) for item in row.contrasts]
    if config.contrast_weight == 0 or not sets:
        return PartLosses(answer, None)
    block = contrast_block(base.blocks, config.depth)
    contrast = _contrast(output.hidden_states[block].float(), sets, config, noise)
    return PartLosses(answer, contrast)


def _scored(hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """States ``(a, d)``, targets ``(a,)`` and weights ``(a,)`` of the answer tokens.

    Filled up with tokens of weight 0: on a CPU every new shape costs set-up time.
    """
    index = (batch.targets != IGNORED).flatten().nonzero().squeeze(1)  # (answers,)
    missing = -index.shape[0] % _ANSWER_STEP
    filled = torch.cat([index, index[:1].expand(missing)])  # (a,)
    weights = batch.weights.flatten()[filled]
    weights[index.shape[0] :] = 0.0
    states = hidden.reshape(-1, hidden.shape[-1])[filled]
    return states, batch.targets.flatten()[filled], weights


def _contrast(
    hidden: Tensor,
    sets: Sequence[tuple[int, Contrast]],
    config: CllmfsConfig,
    noise: torch.Generator,
) -> Tensor:
    """InfoNCE over the mentions of a batch; ``hidden`` has shape ``(b, n, d)``."""
    flat = hidden.reshape(-1, hidden.shape[-1])  # (b * n, d)
    length = hidden.shape[1]

    def pooled(groups: list[tuple[int, tuple[int, ...]]]) -> Tensor:
        index = [number * length + token for number, tokens in groups for token in tokens]
        owner = [row for row, (_, tokens) in enumerate(groups) for _ in tokens]
        sizes = torch.tensor([len(tokens) for _, tokens in groups]).to(hidden)
        summed = hidden.new_zeros(len(groups), hidden.shape[-1]).index_add(
            0,
            torch.tensor(owner, device=hidden.device),
            flat[torch.tensor(index, device=hidden.device)],
        )
        return summed / sizes.unsqueeze(1)  # (groups, d)

    anchors = pooled([(number, item.anchor) for number, item in sets])  # (m, d)
    positives = pooled([(number, item.positive) for number, item in sets])  # (m, d)
    width = max(len(item.negatives) for _, item in sets)
    # Mentions with fewer negatives repeat their first one in the places that ``present`` hides.
    padded = [
        (number, (*item.negatives, *[item.negatives[0]] * (width - len(item.negatives))))
        for number, item in sets
    ]
    negatives = pooled([(number, tokens) for number, words in padded for tokens in words])
    present = torch.tensor([[k < len(item.negatives) for k in range(width)] for _, item in sets])
    return info_nce(
        anchors,
        with_noise(positives, scale=config.noise_scale, kind=config.noise, generator=noise),
        negatives.reshape(len(sets), width, -1),  # (m, k, d)
        present.to(hidden.device),
        temperature=config.temperature,
    )
