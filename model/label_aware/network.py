"""The encoder with its Gaussian heads, run over a batch of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.encoding.gaussian import GaussianHead
from model.encoding.running import states_of
from model.label_aware.config import LabelAwareConfig
from model.label_aware.suffix import Row, label_range


@dataclass(frozen=True, slots=True)
class Reading:
    """States of a batch, the rows behind one another.

    Attributes:
        words: State of each word's first token. Shape ``(w, d)``.
        labels: States of "no label" and the labels of each row. Shape ``(l, d)``.
        word_counts: Words of each row.
        label_counts: Labels of each row, "no label" included.
    """

    words: Tensor
    labels: Tensor
    word_counts: tuple[int, ...]
    label_counts: tuple[int, ...]

    def blocks(self, matrix: Tensor) -> list[Tensor]:
        """The part of a ``(w, l)`` matrix that belongs to each row: its words, its labels."""
        own = []
        word = label = 0
        for words, labels in zip(self.word_counts, self.label_counts, strict=True):
            own.append(matrix[word : word + words, label : label + labels])
            word, label = word + words, label + labels
        return own


def range_means(states: Tensor, ranges: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
    """Mean state of each half-open range of tokens, row after row. Shape ``(r, d)``.

    Args:
        states: Shape ``(b, n, d)``.
        ranges: Those of each row.
    """
    most = max(map(len, ranges))
    shares = states.new_zeros(len(ranges), most, states.shape[1])  # (b, most, n)
    for place, own in enumerate(ranges):
        for number, (first, last) in enumerate(own):
            shares[place, number, first:last] = 1 / (last - first)
    counts = torch.tensor([len(own) for own in ranges])  # (b,)
    return torch.bmm(shares, states)[torch.arange(most) < counts[:, None]]  # (r, d)


def read(
    network: nn.Module, rows: Sequence[Row], padding: int, config: LabelAwareConfig
) -> Reading:
    """Run the encoder over inputs.

    Labels behind a text are read with it; otherwise each different one is read once, on its own.

    Args:
        network: The encoder.
        rows: At least one.
        padding: The id behind short rows.
        config: Says which tokens stand for a label.
    """
    states = states_of(network, [row.ids for row in rows], padding=padding)  # (b, n, d)
    words = [states[place, list(row.piece.firsts)] for place, row in enumerate(rows)]
    if rows[0].places:
        labels = range_means(states, [row.places for row in rows])
    else:
        different = sorted({label for row in rows for label in row.labels})
        read_alone = states_of(network, different, padding=padding)  # (k, n, d)
        own = range_means(read_alone, [[label_range(label, config)] for label in different])
        numbers = {label: number for number, label in enumerate(different)}
        labels = own[[numbers[label] for row in rows for label in row.labels]]
    return Reading(
        torch.cat(words),
        labels,
        tuple(len(row.piece.firsts) for row in rows),
        tuple(len(row.labels) for row in rows),
    )


def fresh_head(width: int, dimensions: int, seed: int) -> dict[str, Tensor]:
    """The Gaussian head of an adapter that was not trained yet.

    Args:
        width: Size of a hidden state.
        dimensions: Dimensions of the Gaussians.
        seed: Seeds its weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GaussianHead(width, dimensions).state_dict()


def head_from(tensors: Mapping[str, Tensor], dropout: float) -> GaussianHead:
    """The Gaussian head that the tensors describe, a copy of them, ready to predict.

    Raises:
        KeyError: If a tensor is missing.
        RuntimeError: If shapes do not fit.
    """
    size, width = tensors["mean.weight"].shape
    head = GaussianHead(width, size, dropout)
    head.load_state_dict({name: value.float() for name, value in tensors.items()})
    return head.eval()
