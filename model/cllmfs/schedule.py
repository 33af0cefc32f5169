"""The order in which rows are trained on, and the figures a run leaves behind."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from model.cllmfs.checkpoint import StepLosses
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Losses, TrainingRow
from model.cllmfs.training import summary


def few_shot_batches(
    texts: Sequence[Sequence[TrainingRow]], config: CllmfsConfig, seed: int
) -> list[list[TrainingRow]]:
    """The rows of every step: whole passes in random order, until the number of steps is right.

    A step takes texts, however many rows each is, so that no setting of the rows changes it.

    Args:
        texts: The rows of each text; at least one text has rows.
        config: Gives batch size, passes and bounds on the steps.
        seed: Seeds the order.
    """
    taught = [list(rows) for rows in texts if rows]
    per_pass = math.ceil(len(taught) / config.batch)
    steps = min(config.max_steps, max(config.min_steps, config.epochs * per_pass))
    order = random.Random(seed)
    batches: list[list[TrainingRow]] = []
    while len(batches) < steps:
        shuffled = order.sample(taught, len(taught))
        parts = (shuffled[k : k + config.batch] for k in range(0, len(taught), config.batch))
        batches += [[row for rows in part for row in rows] for part in parts]
    return batches[:steps]


def run_report(history: Sequence[StepLosses], counts: Losses, seconds: float) -> dict[str, Any]:
    """Figures of a run for its record: steps, last losses, seconds, and what was left out."""
    return {
        **summary(history),
        "seconds": seconds,
        "spans": counts.spans,
        "spans_not_representable": counts.crossing,
        "mentions_without_negative": counts.lonely,
    }
