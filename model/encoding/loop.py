"""The optimiser loop of encoder methods: AdamW, clipped gradients, a linear schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from model.encoding.schedule import rate_shares
from model.errors import DivergedError
from model.method import Progress

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class TrainedPart:
    """Parameters that share a learning rate.

    Attributes:
        parameters: They are changed in place.
        rate: Peak learning rate of AdamW.
    """

    parameters: Sequence[nn.Parameter]
    rate: float


def optimise(
    parts: Sequence[TrainedPart],
    batches: Sequence[Batch],
    loss_of: Callable[[Batch], Tensor],
    *,
    decay: float = 0.01,
    warmup: float = 0.1,
    clip: float = 1.0,
    on_step: Callable[[Progress], None] | None = None,
    stop: Callable[[Sequence[float]], bool] | None = None,
) -> list[float]:
    """One AdamW step per batch; the rate rises and falls linearly.

    Parameters of fewer than two dimensions (biases and norms) do not decay.

    Args:
        parts: What is trained.
        batches: One per step.
        loss_of: The loss of a batch, a scalar in nats.
        decay: Weight decay.
        warmup: Share of the steps over which the rate rises.
        clip: Largest gradient norm.
        on_step: Called after each step.
        stop: Told all losses so far, before the step of the last one is made; True ends the run
            without that step.

    Returns:
        The losses, one per step made.

    Raises:
        DivergedError: If a loss is not finite.
    """
    optimiser = torch.optim.AdamW(_groups(parts, decay))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate_shares(len(batches), warmup))
    parameters = [parameter for part in parts for parameter in part.parameters]
    losses: list[float] = []
    for step, batch in enumerate(batches, start=1):
        loss = loss_of(batch)
        if not bool(torch.isfinite(loss)):
            raise DivergedError
        value = float(loss.detach())
        if stop is not None and stop([*losses, value]):
            break
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        schedule.step()
        losses.append(value)
        if on_step is not None:
            on_step(Progress(step, len(batches), value, float(norm)))
    return losses


def tail_mean(losses: Sequence[float]) -> float:
    """Mean of the last tenth of the losses, at least one; 0 without any."""
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail) if tail else 0.0


def _groups(parts: Sequence[TrainedPart], decay: float) -> list[dict[str, object]]:
    groups: list[dict[str, object]] = []
    for part in parts:
        for flat in (False, True):
            own = [p for p in part.parameters if (p.dim() < 2) == flat]
            if own:
                groups.append(
                    {"params": own, "lr": part.rate, "weight_decay": 0.0 if flat else decay}
                )
    return groups
