"""Alignment and uniformity of hidden states, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float64]
FIGURES = ("alignment", "uniformity", "margin")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class KeptStates:
    """States of the gold mentions under the adapters of an arm, of length one each.

    Attributes:
        anchors: Type names. Shape ``(r, m, d)``.
        mentions: Mentions. Shape ``(r, m, d)``.
        neighbours: Neighbouring words. Shape ``(r, m, d)``.
        sentences: Number of the sentence of each mention. Shape ``(m,)``.
    """

    anchors: Vectors
    mentions: Vectors
    neighbours: Vectors
    sentences: npt.NDArray[np.int64]


def read_states(path: Path) -> KeptStates:
    """Read what :func:`backend.studies.states.collect_states` wrote.

    Raises:
        OSError: If the file cannot be read.
        KeyError: If it holds something else.
    """
    with np.load(path) as kept:
        runs = sum(name.startswith("mentions_") for name in kept)
        anchors, mentions, neighbours = (
            np.stack([_unit(kept[f"{part}_{number}"]) for number in range(runs)])
            for part in ("anchors", "mentions", "neighbours")
        )
        return KeptStates(anchors, mentions, neighbours, kept["sentences"])


def figures(states: KeptStates, weights: Vectors | None = None) -> dict[str, Vectors]:
    """The figures of every run, for each row of weights.

    With all states divided by their length (Wang and Isola, ICML 2020, arXiv:2005.10242):
    alignment ``mean_i |a_i - p_i|^2`` of mention ``p`` and name ``a`` of its type, in [0, 4], lower
    is closer; uniformity ``log mean_{i != j} exp(-2 |p_i - p_j|^2)`` over pairs of mentions, in
    [-8, 0], lower is more spread out. Beside them the margin ``mean_i (a_i p_i - a_i n_i)`` to the
    neighbouring words ``n``, in [-2, 2].

    Args:
        states: States of at least two mentions.
        weights: How often each mention counts. Shape ``(c, m)``; by default once.

    Returns:
        Each figure by name. Shape ``(c, r)``.
    """
    runs, count, _ = states.mentions.shape
    if weights is None:
        weights = np.ones((1, count))
    total = weights.sum(axis=1)  # (c,)
    pairs = np.maximum(total**2 - (weights**2).sum(axis=1), 1e-12)  # (c,)
    found: dict[str, Vectors] = {name: np.empty((len(weights), runs)) for name in FIGURES}
    for run in range(runs):
        anchors, mentions = states.anchors[run], states.mentions[run]
        near = (anchors * mentions).sum(axis=1)  # (m,)
        far = (anchors * states.neighbours[run]).sum(axis=1)  # (m,)
        kernel = np.exp(-2 * (2 - 2 * mentions @ mentions.T))  # (m, m)
        np.fill_diagonal(kernel, 0.0)
        spread = ((weights @ kernel) * weights).sum(axis=1) / pairs  # (c,)
        found["alignment"][:, run] = weights @ (2 - 2 * near) / total
        found["uniformity"][:, run] = np.log(np.maximum(spread, 1e-300))
        found["margin"][:, run] = weights @ (near - far) / total
    return found


def representation_rows(
    arms: Sequence[tuple[str, KeptStates]], *, draws: int = 10_000, seed: int = 0
) -> list[dict[str, Any]]:
    """The figures of each arm, and its differences to the first one with intervals.

    A draw takes runs and sentences with replacement, the same for both arms; a zero-shot arm has
    one run, which stands beside each run of the other.

    Args:
        arms: Names and states; the first is the reference.
        draws: Bootstrap draws.
        seed: Seeds the draws.
    """
    reference = figures(arms[0][1])
    rows = []
    for number, (name, states) in enumerate(arms):
        own = figures(states)
        row: dict[str, Any] = {"arm": name, "mentions": int(states.mentions.shape[1])}
        differences = _drawn(states, arms[0][1], draws, seed) if number else {}
        for figure in FIGURES:
            values = own[figure][0]
            row[figure] = round(float(values.mean()), _DIGITS)
            row[f"{figure}_runs"] = [round(float(value), _DIGITS) for value in values]
            if number:
                low, high = np.percentile(differences[figure], (2.5, 97.5))
                observed = float(values.mean() - reference[figure][0].mean())
                row[f"{figure}_difference"] = round(observed, _DIGITS)
                row[f"{figure}_interval"] = [
                    round(float(low), _DIGITS),
                    round(float(high), _DIGITS),
                ]
        rows.append(row)
    return rows


def _drawn(
    first: KeptStates, second: KeptStates, draws: int, seed: int
) -> dict[str, npt.NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    names, own = np.unique(first.sentences, return_inverse=True)
    picked = generator.integers(len(names), size=(draws, len(names)))
    flat = np.bincount(
        (picked + len(names) * np.arange(draws)[:, None]).ravel(), minlength=draws * len(names)
    )
    weights = flat.reshape(draws, len(names)).astype(np.float64)[:, own]  # (c, m)
    runs = max(first.mentions.shape[0], second.mentions.shape[0])
    drawn_runs = generator.integers(runs, size=(draws, runs))
    one, two = figures(first, weights), figures(second, weights)
    return {name: _mean(one[name], drawn_runs) - _mean(two[name], drawn_runs) for name in FIGURES}


def _mean(values: Vectors, runs: npt.NDArray[np.int64]) -> Vectors:
    known = runs % values.shape[1]  # (c, r); all 0 where there is one run
    mean: Vectors = np.take_along_axis(values, known, axis=1).mean(axis=1)
    return mean


def _unit(vectors: Vectors) -> Vectors:
    wide = vectors.astype(np.float64)
    unit: Vectors = wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12)
    return unit
