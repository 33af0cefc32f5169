"""The rows of every optimiser step, and the learning rates."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast a fit learns.

    Attributes:
        epochs: Passes over the rows.
        batch: Rows in a step.
        warmup: Share of the steps over which the rate rises, in [0, 1]; it falls linearly after.
        min_steps: Lower bound on the steps.
        max_steps: Upper bound; None for none.
    """

    epochs: int
    batch: int
    warmup: float = 0.1
    min_steps: int = 1
    max_steps: int | None = None


def steps_of(schedule: Schedule, rows: float) -> int:
    """Optimiser steps over so many rows."""
    steps = max(schedule.min_steps, schedule.epochs * math.ceil(rows / schedule.batch))
    return steps if schedule.max_steps is None else min(steps, schedule.max_steps)


def batches_of(rows: Sequence[Row], schedule: Schedule, seed: int) -> Iterator[list[Row]]:
    """The rows of every step: whole passes in random order, until the number of steps is right."""
    left = steps_of(schedule, len(rows))
    order = random.Random(seed)
    while left > 0:
        shuffled = order.sample(list(rows), len(rows))
        for first in range(0, len(rows), schedule.batch):
            if left > 0:
                yield shuffled[first : first + schedule.batch]
                left -= 1


def rate_shares(steps: int, warmup: float) -> Callable[[int], float]:
    """Share of the peak rate after some steps: linear rise, then linear fall.

    Args:
        steps: Steps in all.
        warmup: Share of them over which the rate rises.
    """
    rising = math.ceil(steps * warmup)

    def share(done: int) -> float:
        if done < rising:
            return (done + 1) / rising
        return max(0.0, (steps - done) / max(1, steps - rising))

    return share
