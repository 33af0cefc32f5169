"""From states to decisions: log-odds of labels, the support's memory, and spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.encoding.gaussian import squared_distances
from model.encoding.tags import Words, spans_of_io
from model.spans import Span

_FARTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Tokens of the support set.

    Attributes:
        vectors: Last states of length one. Shape ``(m, d)``.
        labels: Number of each token's label, from 1; 0 outside. Shape ``(m,)``.
        groups: Number of the label group that was read with it. Shape ``(m,)``.
    """

    vectors: Tensor
    labels: Tensor
    groups: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """As they lie in ``support.safetensors``."""
        return {
            "vectors": self.vectors.half(),
            "labels": self.labels.short(),
            "groups": self.groups.short(),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Memory:
        """Read what :meth:`tensors` wrote.

        Raises:
            KeyError: If a tensor is missing.
        """
        vectors = tensors["vectors"].float()
        return cls(vectors, tensors["labels"].long(), tensors["groups"].long())

    def shortened(self, most: int) -> Memory:
        """At most so many tokens: those outside mentions are dropped first, evenly."""
        if len(self.labels) <= most:
            return self
        inside = torch.nonzero(self.labels)[:most, 0]
        outside = torch.nonzero(self.labels == 0)[:, 0]
        room = max(1, most - len(inside))
        kept = (
            outside[torch.linspace(0, len(outside) - 1, room).long()] if len(outside) else outside
        )
        places = torch.cat([inside, kept]).sort().values
        return Memory(self.vectors[places], self.labels[places], self.groups[places])


def label_odds(similarities: Tensor) -> Tensor:
    """Log-odds of each label against "no label": ``(w, k + 1)`` gives ``(w, k)``."""
    return similarities[:, 1:] - similarities[:, :1]


def nearest_odds(
    states: Tensor, memory: Memory, numbers: Sequence[int], temperature: float
) -> Tensor:
    """How much nearer the nearest support token of a label is than the nearest one outside.

    The comparison of NNShot (Yang and Katiyar, EMNLP 2020) as log-odds: the label with the highest
    one is that of the nearest neighbour, and it is above 0 where that is no token outside.

    Args:
        states: Last states of words. Shape ``(w, d)``.
        memory: The support's tokens.
        numbers: The labels asked, by their number in the memory; one that is not there is far.
        temperature: Divides the squared distances.

    Returns:
        Shape ``(w, k)``.
    """
    apart = squared_distances(F.normalize(states, dim=-1), memory.vectors)  # (w, m)

    def least(chosen: Tensor) -> Tensor:
        if not bool(chosen.any()):
            return apart.new_full((len(states),), _FARTHEST)
        return apart[:, chosen].min(-1).values

    odds = []
    for number in numbers:
        own = memory.labels == number  # (m,)
        groups = torch.tensor(sorted(set(memory.groups[own].tolist())), dtype=torch.long)
        outside = (memory.labels == 0) & torch.isin(memory.groups, groups)  # (m,)
        odds.append((least(outside) - least(own)) / temperature)
    return torch.stack(odds, dim=-1)


def mixed_odds(label: Tensor, nearest: Tensor, share: float) -> Tensor:
    """Weighted mean of two log-odds: a product of experts. Shapes ``(w, k)``."""
    return (1 - share) * label + share * nearest


def decided(
    words: Words, odds: Tensor, names: Sequence[str], *, least: float = 0.0, nested: bool = False
) -> tuple[list[Span], float]:
    """The spans of a piece of text, and its least certain decision.

    Args:
        words: Ranges of the words.
        odds: Log-odds of each label against "no label". Shape ``(w, k)``.
        names: The labels.
        least: Log-odds that a label must exceed.
        nested: Whether each label is decided on its own, so that spans may overlap.

    Returns:
        The spans with scores in [0, 1], and a score in [0, 1].
    """
    shifted = odds - least
    if nested:
        chances = shifted.sigmoid()  # (w, k)
        spans: list[Span] = []
        for number, name in enumerate(names):
            tags = (chances[:, number] > 0.5).long().tolist()
            spans += spans_of_io(words, tags, chances[:, number].tolist(), [name])
        sure = torch.maximum(chances, 1 - chances).min()
        return spans, float(sure)
    chances = F.pad(shifted, (1, 0)).softmax(-1)  # (w, k + 1)
    best = chances.max(-1)
    tags, scores = best.indices.tolist(), best.values.tolist()
    return spans_of_io(words, tags, scores, names), min(scores)
