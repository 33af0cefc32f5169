"""What single steps of trainings tell: losses, gradient norms and times, arm by arm."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.evaluation.runs import DIGITS

CURVE = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of a training at which its loss is shown."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one training, in order.

    Attributes:
        support: Name of the support set.
        losses: In nats.
        norms: Norms of the gradients before they were clipped.
        seconds: Wall time of each step.
    """

    support: str
    losses: tuple[float, ...]
    norms: tuple[float, ...]
    seconds: tuple[float, ...]


def read_steps(path: Path) -> list[Steps]:
    """Read what :func:`collect_steps` wrote.

    Raises:
        OSError: If the file cannot be read.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [
        Steps(row["support"], *(tuple(row[name]) for name in ("losses", "norms", "seconds")))
        for row in rows
    ]


def step_rows(arms: Sequence[tuple[str, Sequence[Steps]]]) -> list[dict[str, Any]]:
    """A row per arm: means over its trainings.

    ``norm_first`` and ``norm_last`` are means over the first and the last tenth of the steps,
    ``seconds`` is the median over all steps but the first of each training.

    Args:
        arms: Names, and the trainings of each.
    """
    return [_row(name, trainings) for name, trainings in arms]


def _row(name: str, trainings: Sequence[Steps]) -> dict[str, Any]:
    def mean(values: Sequence[float]) -> float:
        return round(statistics.fmean(values), DIGITS)

    tenths = [max(1, len(own.norms) // 10) for own in trainings]
    seconds = [value for own in trainings for value in own.seconds[1:] or own.seconds]
    return {
        "arm": name,
        "steps": mean([len(own.losses) for own in trainings]),
        "norm_first": mean(
            [statistics.fmean(own.norms[:n]) for own, n in zip(trainings, tenths, strict=True)]
        ),
        "norm_last": mean(
            [statistics.fmean(own.norms[-n:]) for own, n in zip(trainings, tenths, strict=True)]
        ),
        "seconds": round(statistics.median(seconds), DIGITS),
        "curve": [
            mean([own.losses[round(share * (len(own.losses) - 1))] for own in trainings])
            for share in CURVE
        ],
    }
