"""The training objective on packed rows: forward pass, answer loss and contrastive term."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.base.decoder import BlockLora, Decoder
from model.base.load import LoadedBase
from model.cllmfs.config import CllmfsConfig, contrast_block
from model.cllmfs.contrast import contrast_loss
from model.cllmfs.examples import TrainingRow
from model.cllmfs.frozen import FrozenStates
from model.cllmfs.losses import answer_cross_entropy
from model.cllmfs.packing import IGNORED, collate, laid_out


@dataclass(frozen=True, slots=True)
class PartLosses:
    """Mean losses of some rows in nats; ``contrast`` is None where no mention took part."""

    answer: Tensor
    contrast: Tensor | None


def answer_weight(row: TrainingRow) -> float:
    """Sum of the weights of a row's answer tokens."""
    pairs = zip(row.pack.targets, row.pack.weights, strict=True)
    return sum(weight for target, weight in pairs if target != IGNORED)


def share_of_step(
    losses: PartLosses,
    part: Sequence[TrainingRow],
    rows: Sequence[TrainingRow],
    config: CllmfsConfig,
) -> PartLosses:
    """What a part adds to its step, a mean over the answer tokens and the mentions of all rows.

    Args:
        losses: The means over the part.
        part: The rows of the part.
        rows: The rows of the step, however many parts it is read in.
        config: Tells whether the contrastive term counts.
    """
    weight = sum(answer_weight(row) for row in rows)
    answer = losses.answer * (sum(map(answer_weight, part)) / weight if weight else 0.0)
    if losses.contrast is None or not config.contrast_weight:
        return PartLosses(answer, None)
    mentions = sum(len(row.contrasts) for row in rows)
    share = sum(len(row.contrasts) for row in part) / mentions
    return PartLosses(answer, losses.contrast * share)


def objective(
    base: LoadedBase,
    decoder: Decoder,
    lora: Sequence[BlockLora] | None,
    rows: Sequence[TrainingRow],
    config: CllmfsConfig,
    *,
    padding: int,
    noise: torch.Generator,
    frozen: FrozenStates | None = None,
) -> PartLosses:
    """Read rows and compute their losses.

    Args:
        base: The base model.
        decoder: Its blocks.
        lora: The LoRA of every block; None reads with the base model alone.
        rows: At least one.
        config: Gives dropout and the contrastive term's settings.
        padding: Token id of the padding.
        noise: Source of the noise on the positives.
        frozen: The rows' states behind the blocks that are not trained.
    """
    batch = collate([row.pack for row in rows], padding=padding, device=base.device)
    places, grid = laid_out(batch, base.dtype)
    wanted = config.contrast_weight > 0
    reading = decoder.run(
        batch.ids[places],
        batch.positions[places],
        grid,
        lora=lora,
        dropout=config.dropout,
        keep=contrast_block(base.blocks, config.depth) if wanted else None,
        save_memory=config.checkpointing,
        below=frozen.of(rows) if frozen is not None else None,
    )
    targets, weights = batch.targets[places], batch.weights[places]  # (n,)
    scored = targets != IGNORED
    states, targets, weights = reading.last[scored], targets[scored], weights[scored]  # (a, ...)
    logits = states @ base.output_weight.T  # (a, v)
    if any(answer_weight(row) for row in rows):
        answer = answer_cross_entropy(logits, targets, weights)
    else:
        answer = logits.sum() * 0.0  # only rows that were given no weight
    sets = [(number, item) for number, row in enumerate(rows) for item in row.contrasts]
    if reading.kept is None or not sets:
        return PartLosses(answer, None)
    starts = [0, *itertools.accumulate(len(row.pack.ids) for row in rows)]
    shifted = [(starts[number], item) for number, item in sets]
    return PartLosses(answer, contrast_loss(reading.kept.float(), shifted, config, noise))
