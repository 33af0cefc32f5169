"""Which tag follows which: counted on the tags of one corpus, used for the types of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

START_O, START_I, O_O, O_I, I_O, I_SAME, I_OTHER = range(7)
_GROUPS = ((START_O, START_I), (O_O, O_I), (I_O, I_SAME, I_OTHER))
FLOOR = 1e-6


def abstract_transitions(sequences: Iterable[Sequence[int]]) -> Tensor:
    """Transition probabilities between start, O, I and another I (Yang and Katiyar, EMNLP 2020).

    Args:
        sequences: IO tags of texts: 0 outside, any other number a type.

    Returns:
        Probabilities, ``(7,)``: start to O and to I; O to O and to I; I to O, to the same I and to
        another I. Each of the three groups adds up to 1; one that never occurs is spread evenly.
    """
    counts = torch.zeros(7)
    for tags in sequences:
        for before, tag in zip([None, *tags], tags, strict=False):
            counts[_kind(before, tag)] += 1
    shares = torch.zeros(7)
    for group in _GROUPS:
        own = counts[list(group)]
        even = torch.full_like(own, 1 / len(group))
        shares[list(group)] = own / own.sum() if own.sum() > 0 else even
    return shares


def log_transitions(shares: Tensor, types: int, power: float) -> tuple[Tensor, Tensor]:
    """Spread abstract transitions over the types of a target, flattened by a power.

    Args:
        shares: What :func:`abstract_transitions` gives, ``(7,)``.
        types: Number of target types, at least 1.
        power: Every probability is raised to it and its row renormalised, in (0, 1].

    Returns:
        Log-probabilities of the first tag, ``(1 + types,)``, and of a tag after a tag,
        ``(1 + types, 1 + types)``; index 0 is O. None lies below the log of ``FLOOR``.
    """
    others = max(1, types - 1)
    table = torch.full((1 + types, 1 + types), float(shares[I_OTHER]) / others)
    table.fill_diagonal_(float(shares[I_SAME]))
    table[0, 0] = shares[O_O]
    table[0, 1:] = shares[O_I] / types
    table[1:, 0] = shares[I_O]
    first = torch.full((1 + types,), float(shares[START_I]) / types)
    first[0] = shares[START_O]
    return _flattened(first, power), _flattened(table, power)


def best_path(emissions: Tensor, first: Tensor, table: Tensor) -> list[int]:
    """The most probable tags of a text (Viterbi, 1967).

    Args:
        emissions: Log-probability of every tag at every word, ``(w, t)``.
        first: Log-probability of every first tag, ``(t,)``.
        table: Log-probability of a tag (column) after a tag (row), ``(t, t)``.

    Returns:
        One tag per word; of equally probable ones the lowest.
    """
    if not len(emissions):
        return []
    best = first + emissions[0]  # (t,)
    came_from: list[Tensor] = []
    for word in emissions[1:]:
        reached = (best[:, None] + table).max(0)  # (t,), (t,)
        came_from.append(reached.indices)
        best = reached.values + word
    path = [int(best.argmax())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    return path[::-1]


def _kind(before: int | None, tag: int) -> int:
    if before is None:
        return START_I if tag else START_O
    if not before:
        return O_I if tag else O_O
    if not tag:
        return I_O
    return I_SAME if tag == before else I_OTHER


def _flattened(shares: Tensor, power: float) -> Tensor:
    # a zero stays a zero, whatever the power
    raised = shares.pow(power).masked_fill(shares == 0, 0.0)
    return (raised / raised.sum(-1, keepdim=True)).clamp_min(FLOOR).log()
