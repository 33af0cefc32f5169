"""Two versions on the same documents: counts by label, and the difference with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.evaluation.bootstrap import Counts, mean_f1, paired_draws
from model.evaluation.metrics import count
from model.spans import Span


@dataclass(frozen=True, slots=True, eq=False)
class PairedCounts:
    """Strict counts of two versions on the same documents, label by label.

    Attributes:
        labels: The labels that occur, sorted.
        first: (correct, predicted, gold) of the one version. Shape ``(labels, n, 3)``.
        second: The same of the other. Shape ``(labels, n, 3)``.
    """

    labels: tuple[str, ...]
    first: Counts
    second: Counts

    @property
    def documents(self) -> int:
        """Number of documents."""
        return int(self.first.shape[1])


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two versions lie apart on some spans; differences are first minus second.

    Attributes:
        gold: Gold spans.
        first: F1 of the one version, in [0, 1].
        second: F1 of the other.
        delta: Their difference.
        low: Lower end of its interval.
        high: Upper end.
        error: Standard deviation of the difference over the draws.
    """

    gold: int
    first: float
    second: float
    delta: float
    low: float
    high: float
    error: float


def paired_counts(
    gold: Sequence[Sequence[Span]],
    first: Sequence[Sequence[Span]],
    second: Sequence[Sequence[Span]],
) -> PairedCounts:
    """Count two versions' answers to the same documents.

    Args:
        gold: Gold spans of each document.
        first: The one version's spans.
        second: The other's.

    Raises:
        ValueError: If the three do not have the same length.
    """
    if not len(gold) == len(first) == len(second):
        raise ValueError("both versions must have answered each document")
    everything = (span for side in (gold, first, second) for spans in side for span in spans)
    labels = tuple(sorted({span.label for span in everything}))
    sides = (_by_label(labels, gold, said) for said in (first, second))
    return PairedCounts(labels, *sides)


def differences(
    counts: PairedCounts, *, level: float, label_level: float, draws: int, seed: int
) -> tuple[Difference, tuple[Difference, ...]]:
    """The difference over all labels, and that of each label, from the same draws.

    Args:
        counts: At least one document.
        level: Two-sided share of false alarms: 0.05 gives a 95 % percentile interval.
        label_level: The same for the intervals of single labels.
        draws: Number of draws.
        seed: Seeds the draws.
    """
    first, second = (_with_total(side) for side in (counts.first, counts.second))
    drawn = paired_draws(first, second, draws=draws, seed=seed)  # (draws, 1 + labels)
    error = drawn.std(axis=0)
    found = []
    for place in range(drawn.shape[1]):
        one, other = (mean_f1(side[place][None]) for side in (first, second))
        half = (label_level if place else level) / 2
        low, high = np.quantile(drawn[:, place], (half, 1 - half))
        bounds = float(low), float(high), float(error[place])
        found.append(Difference(int(first[place, :, 2].sum()), one, other, one - other, *bounds))
    return found[0], tuple(found[1:])


def _with_total(counts: Counts) -> Counts:
    whole: Counts = np.concatenate([counts.sum(axis=0, keepdims=True), counts])  # (1 + l, n, 3)
    return whole


def _by_label(
    labels: Sequence[str], gold: Sequence[Sequence[Span]], said: Sequence[Sequence[Span]]
) -> Counts:
    table: Counts = np.zeros((len(labels), len(gold), 3))
    for place, label in enumerate(labels):
        for number, (wanted, found) in enumerate(zip(gold, said, strict=True)):
            own = count(_of(label, wanted), _of(label, found))
            table[place, number] = own.correct, own.predicted, own.gold
    return table


def _of(label: str, spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.label == label]
