"""Paired bootstrap over support sets and sentences, and Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far two systems lie apart; every difference is first minus second.

    Attributes:
        difference: Difference of the observed F1, in [-1, 1].
        mean: Mean difference over the draws.
        low: 2.5th percentile of the differences over the draws.
        high: 97.5th percentile.
        p: Two-sided p, in (0, 1].
    """

    difference: float
    mean: float
    low: float
    high: float
    p: float

    @property
    def shown(self) -> bool:
        """Whether the 95 % interval leaves out 0."""
        return not self.low <= 0.0 <= self.high


def mean_f1(counts: Counts, sets: Sequence[int] | None = None) -> float:
    """Mean over support sets of the mean micro-F1 over all sentences of their runs.

    Args:
        counts: (correct, predicted, gold) of each sentence. Shape ``(r, n, 3)``.
        sets: Number of the support set of each run, from 0; by default each has its own.
    """
    shares = _shares(len(counts), sets).sum(axis=0)  # (r,)
    return float(np.average(_f1(counts.sum(axis=1)), weights=shares))


def paired_bootstrap(
    first: Counts,
    second: Counts,
    *,
    draws: int = 10_000,
    seed: int = 0,
    resample_supports: bool = True,
    sets: Sequence[int] | None = None,
) -> Comparison:
    """Compare two systems on the same support sets and sentences.

    A draw takes support sets with replacement, then sentences with replacement, the same for both
    systems and the same sentences in every support set. F1 of a draw is the micro-F1 over its
    sentences of each support set drawn, averaged over these sets: the figure that tables show. With
    one support set it is plain micro-F1. Several runs of one support set, with other training
    seeds, are drawn together and averaged first: they are no further support sets. Where nothing
    is predicted and nothing gold, F1 is 0.

    The two-sided p is twice the smaller share of draws that lie on one side of 0, where 0 itself
    belongs to both sides; the observed data count as one more draw, so p is never 0.

    Args:
        first: (correct, predicted, gold) of each sentence under each support set; zeros for a
            sentence that is left out. Shape ``(r, n, 3)``.
        second: The same of the other system. Shape ``(r, n, 3)``.
        draws: Number of draws.
        seed: Seeds the draws.
        resample_supports: Draw support sets too; otherwise all take part once in each draw.
        sets: Number of the support set of each run, from 0; by default each has its own.

    Raises:
        ValueError: If the shapes differ, an axis is empty, there is no draw, or the support sets
            are not numbered from 0.
    """
    if first.shape != second.shape or first.ndim != 3 or first.shape[2] != 3:
        raise ValueError("both systems need counts of one shape (supports, sentences, 3)")
    if not first.size or draws < 1:
        raise ValueError("support sets, sentences and draws must be at least one")
    shares = _shares(len(first), sets)  # (s, r)
    shape = (len(shares), first.shape[1])
    differences = np.concatenate(
        [
            _draw_f1(first, drawn @ shares, sentences) - _draw_f1(second, drawn @ shares, sentences)
            for drawn, sentences in _weights(shape, draws, seed, resample_supports)
        ]
    )
    # equal fractions summed in another order differ in the last bit and must still count as equal
    differences = differences.round(12)
    low, high = np.percentile(differences, (2.5, 97.5))
    below = int((differences <= 0).sum())
    above = int((differences >= 0).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + draws))
    observed = mean_f1(first, sets) - mean_f1(second, sets)
    return Comparison(observed, float(differences.mean()), float(low), float(high), p)


def paired_draws(first: Counts, second: Counts, *, draws: int = 10_000, seed: int = 0) -> Counts:
    """Differences of micro-F1 over documents drawn with replacement, for several groups of spans.

    All groups and both systems see the same draws, so that a group's differences belong to those of
    the whole.

    Args:
        first: (correct, predicted, gold) of each document in each group. Shape ``(g, n, 3)``.
        second: The same of the other system. Shape ``(g, n, 3)``.
        draws: Number of draws.
        seed: Seeds the draws.

    Returns:
        First minus second, in [-1, 1]. Shape ``(draws, g)``.

    Raises:
        ValueError: If the shapes differ, an axis is empty, or there is no draw.
    """
    if first.shape != second.shape or first.ndim != 3 or first.shape[2] != 3:
        raise ValueError("both systems need counts of one shape (groups, documents, 3)")
    if not first.size or draws < 1:
        raise ValueError("groups, documents and draws must be at least one")
    groups, number, _ = first.shape
    both = np.concatenate([first, second]).transpose(1, 0, 2).reshape(number, -1)  # (n, 2 * g * 3)
    drawn = np.concatenate(
        [
            _f1((documents @ both).reshape(-1, 2, groups, 3))  # (c, 2, g)
            for _, documents in _weights((1, number), draws, seed, False)
        ]
    )
    differences: Counts = drawn[:, 0] - drawn[:, 1]
    return differences.round(12)  # as in paired_bootstrap: equal fractions must count as equal


def f1_interval(counts: Counts, *, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the micro-F1 of one system, its units drawn with replacement.

    Args:
        counts: (correct, predicted, gold) of each unit: a sentence, or a whole episode.
            Shape ``(n, 3)``.
        draws: Number of draws.
        seed: Seeds the draws.

    Raises:
        ValueError: If there is no unit or no draw.
    """
    if counts.ndim != 2 or not counts.size or draws < 1:
        raise ValueError("units and draws must be at least one")
    whole = counts[None]  # (1, n, 3)
    drawn = np.concatenate(
        [_draw_f1(whole, *own) for own in _weights((1, len(counts)), draws, seed, False)]
    )
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def holm(values: Sequence[float]) -> list[float]:
    """Adjusted p of a family of comparisons (Holm, 1979), in the order given.

    The k-th smallest of m is multiplied by m - k + 1; none lies below a smaller one, nor above 1.
    """
    order = sorted(range(len(values)), key=lambda place: values[place])
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, values[place] * (len(values) - rank)))
        adjusted[place] = highest
    return adjusted


def _shares(runs: int, sets: Sequence[int] | None) -> Counts:
    """Share of each run in its support set. Shape ``(s, r)``."""
    numbers = np.arange(runs) if sets is None else np.array(sets)
    if numbers.shape != (runs,) or set(numbers.tolist()) != set(range(len(set(numbers.tolist())))):
        raise ValueError("every run needs the number of its support set, counted from 0")
    members = (numbers == np.arange(numbers.max() + 1)[:, None]).astype(np.float64)  # (s, r)
    shares: Counts = members / members.sum(axis=1, keepdims=True)
    return shares


def _weights(
    shape: tuple[int, int], draws: int, seed: int, resample_supports: bool
) -> Iterator[tuple[Counts, Counts]]:
    """How often each support set ``(c, r)`` and each sentence ``(c, n)`` is in each draw."""
    supports, sentences = shape
    generator = np.random.default_rng(seed)
    for begun in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - begun)
        drawn: Counts = np.ones((size, supports))
        if resample_supports:
            drawn = _multiplicities(generator, size, supports)
        yield drawn, _multiplicities(generator, size, sentences)


def _multiplicities(generator: np.random.Generator, size: int, total: int) -> Counts:
    picked = generator.integers(total, size=(size, total))
    flat = picked + total * np.arange(size)[:, None]  # (size, total)
    counted = np.bincount(flat.ravel(), minlength=size * total)
    return counted.reshape(size, total).astype(np.float64)  # (size, total)


def _draw_f1(counts: Counts, supports: Counts, sentences: Counts) -> Counts:
    """F1 of each draw, where each run has weights ``(c, r)``. Shape ``(c,)``."""
    number = counts.shape[1]
    by_sentence = counts.transpose(1, 0, 2).reshape(number, -1)  # (n, r * 3)
    summed = (sentences @ by_sentence).reshape(len(sentences), -1, 3)  # (c, r, 3)
    weighted: Counts = (_f1(summed) * supports).sum(axis=1) / supports.sum(axis=1)
    return weighted


def _f1(counts: Counts) -> Counts:
    total = counts[..., 1] + counts[..., 2]
    return np.divide(2 * counts[..., 0], total, out=np.zeros_like(total), where=total > 0)
