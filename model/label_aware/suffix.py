"""Texts with the labels behind them as the encoder's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from model.encoding.words import Piece, encodable, pieces_of, special_ids
from model.errors import LabelSetError
from model.label_aware.config import LabelAwareConfig
from model.spans import Label

LEAST_TEXT = 16
"""Fewest tokens that must be left for the text beside the labels."""


@dataclass(frozen=True, slots=True)
class Row:
    """One input of the encoder: a piece of text with a group of labels.

    Attributes:
        piece: The text alone.
        ids: What is read: the text, and behind it the labels where they are its suffix.
        places: For "no label" and each label, in the group's order: half-open range in ``ids`` of
            the tokens whose mean state stands for it; empty where labels are read on their own.
        labels: The same as token ids, special ones included.
    """

    piece: Piece
    ids: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    labels: tuple[tuple[int, ...], ...]


def label_range(ids: Sequence[int], config: LabelAwareConfig) -> tuple[int, int]:
    """Half-open range of the tokens that stand for a label: its ``[CLS]``, or its words."""
    return (1, max(2, len(ids) - 1)) if config.label_state == "words" else (0, 1)


class InputWriter:
    """Writes ``[CLS] text [SEP] [CLS] none [SEP] [CLS] label [SEP] ...`` (Zhang and Zhuang,
    arXiv:2404.17178, section 3).

    Args:
        tokenizer: The encoder's.
        config: Says how labels are read.
        limit: Most tokens the encoder reads at once.
    """

    def __init__(self, tokenizer: Tokenizer, config: LabelAwareConfig, limit: int) -> None:
        self._tokenizer = tokenizer
        self._config = config
        self._limit = limit
        self._label_ids = lru_cache(maxsize=1024)(self._encoded)

    def pieces(self, text: str, groups: Sequence[Sequence[Label]]) -> list[Piece]:
        """The text in pieces that leave room for every one of the groups behind them."""
        room = self._limit
        if self._config.suffix:
            room -= max(sum(map(len, self._of(group))) for group in groups)
        return pieces_of(self._tokenizer, text, min(room, self._config.window))

    def groups(self, labels: Sequence[Label]) -> list[tuple[Label, ...]]:
        """The labels in groups that fit behind a text, at most ``group`` each, in order.

        Raises:
            LabelSetError: If a single label leaves no room for a text.
        """
        room = self._limit - min(self._config.window, self._limit // 2)
        groups: list[tuple[Label, ...]] = []
        for label in labels:
            if self._config.suffix and self._size((label,)) > self._limit - LEAST_TEXT:
                raise LabelSetError(
                    f"The label {label.name} is too long for this encoder: shorten its description."
                )
            longer = (*groups[-1], label) if groups else (label,)
            fits = not self._config.suffix or self._size(longer) <= room
            if groups and len(longer) <= self._config.group and fits:
                groups[-1] = longer
            else:
                groups.append((label,))
        return groups

    def row(self, piece: Piece, labels: Sequence[Label], order: Sequence[int] | None = None) -> Row:
        """One input.

        Args:
            piece: The text.
            labels: Its group of labels.
            order: Numbers of the labels as they stand behind the text, "no label" being 0; the
                places are told in the order of ``labels`` all the same.
        """
        own = self._of(labels)
        if not self._config.suffix:
            return Row(piece, piece.ids, (), own)
        ids = list(piece.ids)
        places = [(0, 0)] * len(own)
        for number in order or range(len(own)):
            first, last = label_range(own[number], self._config)
            places[number] = (len(ids) + first, len(ids) + last)
            ids += own[number]
        return Row(piece, tuple(ids), tuple(places), own)

    def _of(self, labels: Sequence[Label]) -> tuple[tuple[int, ...], ...]:
        return (
            self._label_ids(self._config.none_name),
            *(self._label_ids(self._wording(label)) for label in labels),
        )

    def _size(self, labels: Sequence[Label]) -> int:
        return sum(map(len, self._of(labels)))

    def _wording(self, label: Label) -> str:
        if self._config.descriptions and label.description:
            return f"{label.question}: {label.description}"
        return label.question

    def _encoded(self, words: str) -> tuple[int, ...]:
        before, after = special_ids(self._tokenizer)
        ids = self._tokenizer.encode(encodable(words), add_special_tokens=False).ids
        return (*before, *ids, *after)
