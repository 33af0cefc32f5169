"""Types of spans by the products of their vectors with names and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.baselines.recipe import Answer, Memory, Question
from model.encoding.words import Piece
from model.spans import Span

Run = tuple[int, int]
"""A half-open range of neighbouring words."""


@dataclass(frozen=True, slots=True)
class TypeMemory:
    """What is known of the types.

    Attributes:
        names: Vector of each type's name, ``(t, d)``.
        means: Mean vector of each type's support spans, ``(t, d)``; its name's vector where there
            are none.
        threshold: Lowest product of a support word with the name of its type, a scalar.
    """

    names: Tensor
    means: Tensor
    threshold: Tensor

    @classmethod
    def of(cls, memory: Memory) -> TypeMemory:
        """Read what :meth:`tensors` gave."""
        return cls(memory["names"], memory["means"], memory["threshold"])

    def tensors(self) -> Memory:
        """The tensors by name."""
        return {"names": self.names, "means": self.means, "threshold": self.threshold}

    def products(self, vectors: Tensor) -> Tensor:
        """Products of [v; v] with [name; mean]. Shape ``(n, d)`` gives ``(n, t)``."""
        return vectors @ (self.names + self.means).T


def runs_of(tags: Sequence[int]) -> list[Run]:
    """Longest ranges of words with one tag that is not 0."""
    runs: list[Run] = []
    for number, tag in enumerate(tags):
        if tag and number and tags[number - 1] == tag:
            runs[-1] = (runs[-1][0], number + 1)
        elif tag:
            runs.append((number, number + 1))
    return runs


def type_memory(
    states: Sequence[Tensor], tags: Sequence[Sequence[int]], names: Tensor
) -> TypeMemory:
    """What a support set says of the types.

    Args:
        states: Word vectors of each piece, ``(w, d)``.
        tags: IO tags of its words.
        names: Vector of each type's name, ``(t, d)``.
    """
    spans: dict[int, list[Tensor]] = {}
    lowest: list[Tensor] = []
    for vectors, own in zip(states, tags, strict=True):
        for first, end in runs_of(own):
            type_ = own[first] - 1
            spans.setdefault(type_, []).append(vectors[first:end].mean(0))  # (d,)
            lowest.append((vectors[first:end] @ names[type_]).min())
    means = names.clone()
    for type_, found in spans.items():
        means[type_] = torch.stack(found).mean(0)
    return TypeMemory(names, means, torch.stack(lowest).min())


def typed_spans(
    piece: Piece,
    runs: Sequence[Run],
    inside: Tensor,
    vectors: Tensor,
    types: TypeMemory,
    question: Question,
) -> Answer:
    """Give each run its best type, or drop it.

    Args:
        piece: The piece.
        runs: The runs of words that may be spans.
        inside: Probability of each word to be outside and inside of a span, ``(w, 2)``.
        vectors: Vectors of the words, ``(w, d)``.
        types: What is known of the types.
        question: What is asked; a type that is not asked is never chosen.
    """
    score = min(inside.max(-1).values.tolist(), default=1.0)
    if not runs:
        return Answer((), score)
    asked = torch.tensor([name in question.asked for name in question.fitted.names])
    means = torch.stack([vectors[first:end].mean(0) for first, end in runs])  # (r, d)
    products = types.products(means).masked_fill(~asked, float("-inf"))  # (r, t)
    shares = products.softmax(-1).max(-1)
    spans: list[Span] = []
    for number, (first, end) in enumerate(runs):
        share, best = float(shares.values[number]), int(shares.indices[number])
        score = min(score, share)
        if float(products[number, best]) / 2 >= float(types.threshold):
            sure = float(inside[first:end, 1].mean()) * share
            start, stop = piece.words[first][0], piece.words[end - 1][1]
            spans.append(Span(start, stop, question.fitted.names[best], sure))
    return Answer(spans, score)
