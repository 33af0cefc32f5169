"""The gradients of one training step, in parts that fit memory and on all CPU threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from model.base.decoder import Decoder
from model.base.load import LoadedBase
from model.base.side_by_side import share_count, side_by_side
from model.cllmfs.checkpoint import StepLosses
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import TrainingRow, parts_of
from model.cllmfs.frozen import FrozenStates
from model.cllmfs.lora_blocks import LoraCopies, TrainedLora
from model.cllmfs.objective import PartLosses, objective, share_of_step
from model.errors import DivergedError


@dataclass(frozen=True, slots=True)
class _Read:
    """A part of a step that was read: its share of the losses, and where its gradients are."""

    answer: float
    contrast: float | None
    copies: LoraCopies


@dataclass(frozen=True, slots=True)
class Gradients:
    """Reads the rows of a step and leaves the gradients in the LoRA's parameter.

    Attributes:
        base: The base model.
        decoder: Its blocks.
        lora: The matrices.
        frozen: The rows' states behind the blocks that are not trained; None reads all blocks.
        padding: Token id of the padding.
    """

    base: LoadedBase
    decoder: Decoder
    lora: TrainedLora
    frozen: FrozenStates | None
    padding: int

    def of(
        self,
        rows: Sequence[TrainingRow],
        config: CllmfsConfig,
        noise: torch.Generator,
        limit: int,
    ) -> StepLosses:
        """Read the rows of one step; gradients of an earlier one are dropped.

        Rows are dealt out to the CPU's threads, so results are the same for the same number of
        threads. With dropout, whose draws belong to one thread, all threads share each product.

        Args:
            rows: At least one.
            config: Gives dropout, weights and the contrastive term's settings.
            noise: Source of the noise on the positives.
            limit: Most tokens, padding included, that are read at once.

        Raises:
            DivergedError: If a loss is not a finite number.
        """
        self.lora.parameter.grad = None
        shares = 1 if config.dropout else share_count(self.base.device, len(rows))
        dealt = dealt_out(rows, shares)
        sources = [noise] if shares == 1 else [_branched(noise) for _ in dealt]
        work = [
            partial(self._share, own, rows, config, source, limit // shares)
            for own, source in zip(dealt, sources, strict=True)
        ]
        read = [part for share in side_by_side(work) for part in share]
        for part in read:
            self.lora.collect(part.copies)
        answer = sum(part.answer for part in read)
        contrasts = [part.contrast for part in read if part.contrast is not None]
        total = answer + config.contrast_weight * sum(contrasts)
        return StepLosses(total, answer, sum(contrasts) if contrasts else None)

    def _share(
        self,
        own: Sequence[TrainingRow],
        rows: Sequence[TrainingRow],
        config: CllmfsConfig,
        noise: torch.Generator,
        limit: int,
    ) -> list[_Read]:
        read = []
        with torch.enable_grad():
            for part in parts_of(own, limit):
                copies = self.lora.copies()
                losses = objective(
                    self.base,
                    self.decoder,
                    copies.blocks,
                    part,
                    config,
                    padding=self.padding,
                    noise=noise,
                    frozen=self.frozen,
                )
                share = share_of_step(losses, part, rows, config)
                backward(share, config)
                contrast = None if share.contrast is None else float(share.contrast.detach())
                read.append(_Read(float(share.answer.detach()), contrast, copies))
        return read


def dealt_out(rows: Sequence[TrainingRow], shares: int) -> list[list[TrainingRow]]:
    """Rows dealt out so that every share has about as many tokens; one share keeps their order."""
    if shares == 1:
        return [list(rows)]
    dealt: list[list[TrainingRow]] = [[] for _ in range(shares)]
    tokens = [0] * shares
    for row in sorted(rows, key=lambda row: len(row.pack.ids), reverse=True):
        share = tokens.index(min(tokens))
        dealt[share].append(row)
        tokens[share] += len(row.pack.ids)
    return dealt


def backward(losses: PartLosses, config: CllmfsConfig) -> float:
    """Gradients of the answer loss and the weighted contrastive term; returns their sum.

    Raises:
        DivergedError: If it is not a finite number; then nothing got a gradient.
    """
    total = losses.answer
    if losses.contrast is not None:
        total = total + config.contrast_weight * losses.contrast
    if not bool(torch.isfinite(total)):
        raise DivergedError
    torch.autograd.backward(total)
    return float(total.detach())


def _branched(noise: torch.Generator) -> torch.Generator:
    seed = int(torch.randint(2**62, (1,), generator=noise))
    return torch.Generator().manual_seed(seed)
