"""The gradients of one training step, in parts that fit memory and on all CPU threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from model.base.decoder import Decoder
from model.base.load import LoadedBase
from model.base.side_by_side import share_count, side_by_side
from model.cllmfs.checkpoint import StepLosses
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import TrainingRow, parts_of
from model.cllmfs.frozen import FrozenStates
from model.cllmfs.lora_blocks import TrainedLora
from model.cllmfs.objective import PartLosses, objective, share_of_step
from model.errors import DivergedError


@dataclass(frozen=True, slots=True)
class _Read:
    """What a share of a step came to: its parts' losses, and their gradients added up."""

    losses: list[tuple[float, float | None]]
    gradient: Tensor


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
        *,
        alone: bool = False,
    ) -> StepLosses:
        """Read the rows of one step; gradients of an earlier one are dropped.

        Rows are dealt out to the CPU's threads, so results are the same for the same number of
        threads. With dropout, whose draws belong to one thread, all threads share each product.

        Args:
            rows: At least one.
            config: Gives dropout, weights and the contrastive term's settings.
            noise: Source of the noise on the positives.
            limit: Most tokens, padding included, that are read at once.
            alone: Whether one share reads all rows, one part after another: least memory.

        Raises:
            DivergedError: If a loss is not a finite number.
        """
        parameter = self.lora.parameter
        parameter.grad = None
        shares = share_count(self.base.device, 1 if config.dropout or alone else len(rows))
        dealt = dealt_out(rows, shares)
        sources = [noise] if shares == 1 else [_branched(noise) for _ in dealt]
        work = [
            partial(self._share, own, rows, config, source, limit // shares)
            for own, source in zip(dealt, sources, strict=True)
        ]
        read = side_by_side(work)
        parameter.grad = read[0].gradient
        for other in read[1:]:
            parameter.grad += other.gradient
        losses = [pair for share in read for pair in share.losses]
        answer = sum(part for part, _ in losses)
        contrasts = [contrast for _, contrast in losses if contrast is not None]
        total = answer + config.contrast_weight * sum(contrasts)
        return StepLosses(total, answer, sum(contrasts) if contrasts else None)

    def _share(
        self,
        own: Sequence[TrainingRow],
        rows: Sequence[TrainingRow],
        config: CllmfsConfig,
        noise: torch.Generator,
        limit: int,
    ) -> _Read:
        gradient = torch.zeros_like(self.lora.parameter.detach())
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
                read.append((float(share.answer.detach()), contrast))
                self.lora.collect(copies, gradient)
        return _Read(read, gradient)


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
