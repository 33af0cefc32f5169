"""Episodes as one measurement: micro scores over the queries of all, drawn anew by episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.evaluation.bootstrap import Counts as CountArray
from model.evaluation.bootstrap import f1_interval
from model.evaluation.metrics import Counts
from model.evaluation.runs import DIGITS, Run

DRAWS = 1000


def are_episodes(protocol: Mapping[str, Any]) -> bool:
    """Whether the runs of a report are episodes: each with labels and sentences of its own."""
    return "ways" in protocol


def episode_figures(runs: Sequence[Run], *, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Micro scores over all query sentences of all episodes; fractions in [0, 1].

    Published few-shot tables of Few-NERD show these, not the mean over episodes.

    Args:
        runs: One run per episode and training seed; seeds of one episode are added up.
        draws: Bootstrap draws of episodes, for the 95 % percentile interval of F1.
        seed: Seeds the draws.
    """
    if not runs:
        return {}
    seeds: dict[str | None, list[Run]] = {}
    for run in runs:
        seeds.setdefault(run.support_digest, []).append(run)
    summed = np.array([_summed(own).sum(axis=0) for own in seeds.values()])  # (e, 3)
    micro = Counts(*(int(total) for total in summed.sum(axis=0)))
    low, high = f1_interval(summed, draws=draws, seed=seed)
    merged = [run.io_counts for run in runs if run.io_counts is not None]
    io = sum((Counts(*own) for own in merged), Counts()) if len(merged) == len(runs) else None
    return {
        "episodes": len(summed),
        "precision": round(micro.precision, DIGITS),
        "recall": round(micro.recall, DIGITS),
        "f1": round(micro.f1, DIGITS),
        "interval": [round(low, DIGITS), round(high, DIGITS)],
        "io_f1": None if io is None else round(io.f1, DIGITS),
    }


def by_episode(
    pairs: Sequence[tuple[Run, Run]], sets: Sequence[int]
) -> tuple[CountArray, CountArray]:
    """Counts of both sides summed over the sentences of each episode.

    Args:
        pairs: Runs of the same episode.
        sets: Number of the episode of each pair, from 0; several training seeds are added up.

    Returns:
        Counts that :func:`~model.evaluation.bootstrap.paired_bootstrap` draws whole episodes from,
        when it draws no support sets. Shapes ``(1, e, 3)``.
    """
    totals = np.zeros((2, max(sets) + 1, 3))
    for number, pair in zip(sets, pairs, strict=True):
        totals[:, number] += _summed(pair)
    return totals[:1], totals[1:]


def _summed(runs: Sequence[Run]) -> CountArray:
    rows = [[counts for counts in run.per_text if counts is not None] for run in runs]
    return np.array([np.sum(own, axis=0) for own in rows], dtype=np.float64)
