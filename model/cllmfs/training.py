"""The optimiser loop that the few-shot stage and the source stage share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from model.base.decoder import Decoder
from model.base.load import LoadedBase
from model.base.memory import free_bytes, unless_short
from model.cllmfs.checkpoint import Checkpoint, StepLosses
from model.cllmfs.config import CllmfsConfig, contrast_block
from model.cllmfs.examples import TrainingRow
from model.cllmfs.fitting import StepRoom, room_for_steps
from model.cllmfs.frozen import FrozenStates
from model.cllmfs.gradients import Gradients
from model.cllmfs.lora_blocks import TrainedLora
from model.errors import OutOfMemoryError
from model.method import Progress

_log = logging.getLogger(__name__)


def train(
    base: LoadedBase,
    decoder: Decoder,
    lora: TrainedLora,
    batches: Sequence[Sequence[TrainingRow]],
    config: CllmfsConfig,
    *,
    padding: int,
    seed: int,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> list[StepLosses]:
    """Train the A and B matrices of one LoRA; everything else is frozen.

    On one machine with one number of threads, the same arguments give the same bytes, if there is
    memory for the configured parts of a step; otherwise parts are as large as fit. A step that
    still finds too little is tried once more in parts of half the size; later ones keep to these.

    Args:
        base: The base model.
        decoder: Its blocks.
        lora: The matrices; changed in place.
        batches: The rows of each step, in order.
        config: Rates, weights and the rest.
        padding: Token id of the padding.
        seed: Seeds dropout and noise.
        checkpoint: Where the run is kept and taken up again; the result is the same either way.
        on_step: Called after each step.

    Returns:
        The losses of every step.

    Raises:
        DivergedError: If a loss is not a finite number.
        OutOfMemoryError: If even smaller parts do not fit.
        CheckpointError: If the kept run is damaged or another one.
    """
    start = lora.parameter.detach().clone()
    frozen = _frozen(base, decoder, lora, batches, config, padding)
    gradients = Gradients(base, decoder, lora, frozen, padding)
    optimiser = torch.optim.AdamW([lora.parameter], lr=config.rate, weight_decay=0.0)
    noise = torch.Generator().manual_seed(seed)
    room = _room(base, batches, config)
    limit, config = room.tokens, replace(config, checkpointing=room.checkpointing)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        history = checkpoint.restore(lora.parameter, optimiser, noise) if checkpoint else []
        for step, rows in enumerate(batches[len(history) :], start=len(history) + 1):
            rate = config.rate * rate_share(step, len(batches), config.warmup)
            losses = _tried(gradients, rows, config, noise, limit)
            if losses is None:
                # From here on, so that not every step has to fail first.
                limit = _smaller(limit, rows, step)
                config = replace(config, checkpointing=True)
                losses = _tried(gradients, rows, config, noise, limit)
            if losses is None:
                raise OutOfMemoryError
            update([lora.parameter], optimiser, rate, config.clip)
            pull_back([lora.parameter], [start], rate * config.pull)
            history.append(losses)
            if checkpoint is not None and (step % checkpoint.every == 0 or step == len(batches)):
                checkpoint.save(history, lora.parameter, optimiser, noise)
            if on_step is not None:
                on_step(Progress(step, len(batches), losses.total))
    return history


def _room(
    base: LoadedBase, batches: Sequence[Sequence[TrainingRow]], config: CllmfsConfig
) -> StepRoom:
    longest = max((len(row.pack.ids) for rows in batches for row in rows), default=1)
    wanted = StepRoom(config.batch_tokens, config.checkpointing)
    free = free_bytes(base.device)
    room = room_for_steps(base.model.config, base.dtype.itemsize, free, longest, wanted)
    if room != wanted:
        _log.info(
            "memory is short: steps are read in parts of %d tokens%s",
            room.tokens,
            ", computed twice" if room.checkpointing else "",
        )
    return room


def rate_share(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate in step 1 to ``steps``: linear rise, then linear fall.

    With ``w`` = the warm-up steps, rounded up: ``step / w`` up to ``w``, then
    ``(steps - step + 1) / (steps - w + 1)``, so that the last step is still above zero.
    """
    rising = math.ceil(steps * warmup)
    if step <= rising:
        return step / rising
    return (steps - step + 1) / (steps - rising + 1)


def _frozen(
    base: LoadedBase,
    decoder: Decoder,
    lora: TrainedLora,
    batches: Sequence[Sequence[TrainingRow]],
    config: CllmfsConfig,
    padding: int,
) -> FrozenStates | None:
    first = lora.first_trained
    if config.contrast_weight > 0:
        # The contrastive term reads a block's output from the pass itself.
        first = min(first, contrast_block(base.blocks, config.depth) - 1)
    if first == 0 or config.dropout > 0:
        return None
    return FrozenStates(
        base,
        decoder,
        lora.copies().blocks,
        first,
        [row for rows in batches for row in rows],
        padding=padding,
        limit=config.batch_tokens,
    )


def _tried(
    gradients: Gradients,
    rows: Sequence[TrainingRow],
    config: CllmfsConfig,
    noise: torch.Generator,
    limit: int,
) -> StepLosses | None:
    """The losses of a step, or None where memory was short; then the noise is as it was."""
    drawn = noise.get_state()
    # Where states are computed again memory was short before: then shares would only add to it.
    alone = config.checkpointing
    losses = unless_short(lambda: gradients.of(rows, config, noise, limit, alone=alone))
    if losses is None:
        noise.set_state(drawn)
    return losses


def _smaller(limit: int, rows: Sequence[TrainingRow], step: int) -> int:
    longest = max(len(row.pack.ids) for row in rows)
    smaller = max(1, min(limit, longest * len(rows)) // 2)
    _log.warning(
        "step %d found too little memory; from here on steps are read in parts of %d tokens",
        step,
        smaller,
    )
    return smaller


def update(
    parameters: Sequence[nn.Parameter], optimiser: torch.optim.Optimizer, rate: float, clip: float
) -> None:
    """One step of the optimiser at a rate, the norm of all gradients together cut at ``clip``."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    nn.utils.clip_grad_norm_(parameters, clip)
    optimiser.step()


def pull_back(
    parameters: Sequence[nn.Parameter], starts: Sequence[Tensor], strength: float
) -> None:
    """Move parameters back by a share of the way to where they started, at most all of it."""
    if strength > 0:
        with torch.no_grad():
            for parameter, start in zip(parameters, starts, strict=True):
                parameter.lerp_(start, min(1.0, strength))


def summary(history: Sequence[StepLosses]) -> dict[str, Any]:
    """Figures of a run for its report: steps and the mean losses of its last tenth, in nats."""
    tail = history[-max(1, len(history) // 10) :]
    contrast = [item.contrast for item in tail if item.contrast is not None]
    return {
        "steps": len(history),
        "loss": sum(item.total for item in tail) / len(tail),
        "answer_loss": sum(item.answer for item in tail) / len(tail),
        "contrast_loss": sum(contrast) / len(contrast) if contrast else None,
    }
