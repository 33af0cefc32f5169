"""Annotated texts as pieces with word tags, and the states of their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.encoding.running import Layers, by_length, states_of
from model.encoding.tags import io_tags_of, tags_of
from model.encoding.words import Piece, pieces_of, special_ids
from model.spans import AnnotatedText

BATCH = 32
"""Pieces read at once where nothing is learned."""


@dataclass(frozen=True, slots=True)
class TaggedPiece:
    """A piece of a text and what its words are.

    Attributes:
        piece: The piece.
        tags: Tag of each word: of :func:`model.encoding.tags.io_tags_of`, or its BIO tag.
    """

    piece: Piece
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """How texts become rows of an encoder.

    Attributes:
        tokenizer: It neither truncates nor pads.
        window: Most tokens of a piece, special ones included.
        limit: Most tokens that the encoder can read at once.
        padding: The id behind short rows.
    """

    tokenizer: Tokenizer
    window: int
    limit: int
    padding: int

    def pieces(self, text: str) -> list[Piece]:
        """The pieces of a text; one without words has none."""
        return pieces_of(self.tokenizer, text, self.window)

    def tagged(
        self, items: Sequence[AnnotatedText], names: Sequence[str], *, bio: bool = False
    ) -> list[TaggedPiece]:
        """All pieces of texts, with IO or BIO tags for the labels of these names."""
        tagging = tags_of if bio else io_tags_of
        return [
            TaggedPiece(piece, tuple(tagging(piece.words, item.spans, names)))
            for item in items
            for piece in self.pieces(item.text)
        ]

    def name_ids(self, name: str) -> list[int]:
        """Token ids of a name, without special ones."""
        return list(self.tokenizer.encode(name, add_special_tokens=False).ids)

    def states(self, network: Any, pieces: Sequence[Piece], layers: Layers = "last") -> Tensor:
        """States of the words, one row each, all pieces in order. Shape ``(w, d)``.

        A word's state is that of its first token.
        """
        found = states_of(
            network, [piece.ids for piece in pieces], padding=self.padding, layers=layers
        )  # (b, n, d)
        rows = [row for row, piece in enumerate(pieces) for _ in piece.firsts]
        firsts = [first for piece in pieces for first in piece.firsts]
        return found[rows, firsts]  # (w, d)

    def all_states(
        self, network: Any, pieces: Sequence[Piece], layers: Layers = "last"
    ) -> list[Tensor]:
        """States of the words of each piece, each ``(w, d)``, read in batches."""
        places = range(len(pieces))
        found: list[Tensor] = [torch.empty(0)] * len(pieces)
        for part in by_length(places, [len(piece.ids) for piece in pieces], BATCH):
            states = self.states(network, [pieces[place] for place in part], layers)
            first = 0
            for place in part:
                end = first + len(pieces[place].words)
                found[place] = states[first:end]  # (w, d)
                first = end
        return found

    def name_states(self, network: Any, names: Sequence[str], layers: Layers = "last") -> Tensor:
        """State of the token before each name: what stands for the name. Shape ``(names, d)``."""
        before, after = special_ids(self.tokenizer)
        rows = [[*before, *self.name_ids(name), *after] for name in names]
        return states_of(network, rows, padding=self.padding, layers=layers)[:, 0]  # (names, d)


def word_tags(rows: Sequence[TaggedPiece]) -> Tensor:
    """The tags of all words in order. Shape ``(w,)``, int64."""
    return torch.tensor([tag for row in rows for tag in row.tags], dtype=torch.long)
