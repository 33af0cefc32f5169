"""Intervals as pages show them: F1 of a version from its documents, and small drawn bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from model.evaluation.bootstrap import f1_interval

DRAWS = 2_000
WIDTH, MARGIN = 128, 6
"""Size of a drawn interval, in pixels."""

LEAST_REACH = 0.05


@dataclass(frozen=True, slots=True)
class Drawn:
    """An interval as horizontal places in a picture of 128 pixels, 0 in its middle.

    ``trend`` is ``up`` if the whole interval lies above 0, ``down`` below, else ``level``.
    """

    left: float
    right: float
    point: float
    trend: Literal["up", "down", "level"]


def f1_bounds(documents: Iterable[Sequence[Any]]) -> tuple[float, float] | None:
    """95 % interval of F1 over held-out documents ``(task, correct, predicted, gold)``."""
    counts = tuple((int(row[1]), int(row[2]), int(row[3])) for row in documents)
    return _bounds(counts) if counts else None


@lru_cache(maxsize=1024)
def _bounds(counts: tuple[tuple[int, int, int], ...]) -> tuple[float, float]:
    # the same documents always give the same interval, and a page asks for many
    return f1_interval(np.array(counts, dtype=np.float64), draws=DRAWS)


def reach(bounds: Iterable[float | None]) -> float:
    """The difference that reaches the edge of the picture, so that rows can be compared."""
    return max([LEAST_REACH, *(abs(bound) for bound in bounds if bound is not None)])


def drawn(delta: float | None, low: float | None, high: float | None, reach: float) -> Drawn | None:
    """Where to draw an interval of differences; None where there is nothing to draw.

    Args:
        delta: The difference, in [-1, 1].
        low: Lower bound.
        high: Upper bound.
        reach: See :func:`reach`.
    """
    if delta is None or low is None or high is None:
        return None
    half = WIDTH / 2 - MARGIN
    left, point, right = (
        round(WIDTH / 2 + half * max(-1.0, min(1.0, value / reach)), 1)
        for value in (low, delta, high)
    )
    trend: Literal["up", "down", "level"] = "up" if low > 0 else "down" if high < 0 else "level"
    return Drawn(left, right, point, trend)
