"""Support sets drawn from a labelled pool."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from model.spans import AnnotatedText


def greedy_support(
    pool: Sequence[AnnotatedText], labels: Sequence[str], shots: int, seed: int
) -> list[AnnotatedText]:
    """A small random support set with at least ``shots`` mentions of every label.

    Grows in levels of one shot. Each level goes through the rest of the pool, always in the same
    random order, and takes a text if some label still lacks mentions and the text has one; then it
    drops, in order, those of its texts that the others do not need. With the same pool, labels and
    seed, a set of fewer shots is therefore the beginning of every set of more shots.

    Args:
        pool: Texts with gold spans.
        labels: Names of the labels.
        shots: Mentions wanted of each label; where the pool has fewer, all of them.
        seed: Seeds the order.
    """
    order = random.Random(seed).sample(range(len(pool)), len(pool))
    own = [Counter(span.label for span in item.spans if span.label in labels) for item in pool]
    counts: Counter[str] = Counter()
    kept: list[int] = []
    for level in range(1, shots + 1):
        kept += _level(order, own, set(kept), counts, level)
    return [pool[place] for place in kept]


def _level(
    order: Sequence[int],
    own: Sequence[Counter[str]],
    taken: set[int],
    counts: Counter[str],
    shots: int,
) -> list[int]:
    # ``counts`` is brought up to date
    added: list[int] = []
    for place in order:
        if place not in taken and any(counts[label] < shots for label in own[place]):
            added.append(place)
            counts += own[place]
    for place in list(added):
        if all(counts[label] - number >= shots for label, number in own[place].items()):
            added.remove(place)
            counts.subtract(own[place])
    return added
