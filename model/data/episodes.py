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

    Goes through the pool in random order and keeps a text if some label still lacks mentions and
    the text has one; then drops, in order, every text the others do not need.

    Args:
        pool: Texts with gold spans.
        labels: Names of the labels.
        shots: Mentions wanted of each label; where the pool has fewer, all of them.
        seed: Seeds the order.
    """
    order = random.Random(seed).sample(list(pool), len(pool))
    counts: Counter[str] = Counter()
    kept: list[AnnotatedText] = []
    for item in order:
        own = Counter(span.label for span in item.spans)
        if any(own[label] and counts[label] < shots for label in labels):
            kept.append(item)
            counts += own
    for item in list(kept):
        own = Counter(span.label for span in item.spans)
        if all(counts[label] - own[label] >= shots for label in labels if own[label]):
            kept.remove(item)
            counts -= own
    return kept
