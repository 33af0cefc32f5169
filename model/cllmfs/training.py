"""The optimiser loop that the few-shot stage and the source stage share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.base.load import LoadedBase
from model.cllmfs import lora
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import TrainingRow
from model.cllmfs.objective import TOKENS_AT_ONCE, answer_weight, objective, parts_of
from model.errors import DivergedError
from model.method import Progress


@dataclass(frozen=True, slots=True)
class StepLosses:
    """Losses of one step in nats; ``contrast`` is None where no mention took part."""

    total: float
    answer: float
    contrast: float | None


def train(
    base: LoadedBase,
    adapter: str,
    batches: Sequence[Sequence[TrainingRow]],
    config: CllmfsConfig,
    *,
    padding: int,
    seed: int,
    on_step: Callable[[Progress], None] | None = None,
) -> list[StepLosses]:
    """Train the A and B matrices of one LoRA that is on the model; everything else is frozen.

    On one machine with one number of threads, the same arguments give the same bytes.

    Args:
        base: The base model, with the LoRA attached.
        adapter: Name of the LoRA.
        batches: The rows of each step, in order.
        config: Rates, weights and the rest.
        padding: Token id of the padding.
        seed: Seeds dropout and noise.
        on_step: Called after each step.

    Returns:
        The losses of every step.

    Raises:
        DivergedError: If a loss is not a finite number.
    """
    model = base.model
    parameters = lora.matrices(model, adapter)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    lora.activate(model, adapter, dropout=config.dropout)
    for parameter in parameters.values():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    start = [parameter.detach().clone() for parameter in parameters.values()]
    optimiser = torch.optim.AdamW(parameters.values(), lr=config.rate, weight_decay=0.0)
    noise = torch.Generator().manual_seed(seed)
    history: list[StepLosses] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.train()
        try:
            for step, rows in enumerate(batches, start=1):
                rate = config.rate * rate_share(step, len(batches), config.warmup)
                losses = _step(base, rows, config, optimiser, rate, parameters, padding, noise)
                _pull_back(parameters, start, rate * config.pull)
                history.append(losses)
                if on_step is not None:
                    on_step(Progress(step, len(batches), losses.total))
        finally:
            model.eval()
            for parameter in parameters.values():
                parameter.requires_grad_(False)
                parameter.grad = None
    return history


def rate_share(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate in step 1 to ``steps``: linear rise, then linear fall.

    With ``w`` = the warm-up steps, rounded up: ``step / w`` up to ``w``, then
    ``(steps - step + 1) / (steps - w + 1)``, so that the last step is still above zero.
    """
    rising = math.ceil(steps * warmup)
    if step <= rising:
        return step / rising
    return (steps - step + 1) / (steps - rising + 1)


def _step(
    base: LoadedBase,
    rows: Sequence[TrainingRow],
    config: CllmfsConfig,
    optimiser: torch.optim.Optimizer,
    rate: float,
    parameters: dict[str, nn.Parameter],
    padding: int,
    noise: torch.Generator,
) -> StepLosses:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    answer = contrast = 0.0
    weight = sum(answer_weight(row) for row in rows)
    mentions = sum(len(row.contrasts) for row in rows) if config.contrast_weight else 0
    for part in parts_of(rows, TOKENS_AT_ONCE):
        losses = objective(base, part, config, padding=padding, noise=noise)
        # A step is the mean over its answer tokens and mentions, in however many parts it is read.
        own = sum(answer_weight(row) for row in part) / weight if weight else 0.0
        total = losses.answer * own
        answer += float(losses.answer.detach()) * own
        if losses.contrast is not None:
            share = sum(len(row.contrasts) for row in part) / mentions
            total = total + config.contrast_weight * losses.contrast * share
            contrast += float(losses.contrast.detach()) * share
        if not bool(torch.isfinite(total)):
            raise DivergedError
        torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(parameters.values(), config.clip)
    optimiser.step()
    return StepLosses(
        answer + config.contrast_weight * contrast, answer, contrast if mentions else None
    )


def _pull_back(parameters: dict[str, nn.Parameter], start: list[Tensor], strength: float) -> None:
    if strength > 0:
        with torch.no_grad():
            for parameter, origin in zip(parameters.values(), start, strict=True):
                parameter.lerp_(origin, min(1.0, strength))


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
