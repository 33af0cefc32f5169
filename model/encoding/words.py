"""Words of a text as an encoder's tokens, in pieces that are read at once."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text that is read at once.

    Attributes:
        ids: Token ids, the special ones around the text included.
        firsts: For each word the index of its first token in ``ids``.
        words: For each word its half-open range in the text, in code points.
    """

    ids: tuple[int, ...]
    firsts: tuple[int, ...]
    words: tuple[tuple[int, int], ...]


def special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids that stand before a text and behind it, for BERT ``[CLS]`` and ``[SEP]``."""
    special = tokenizer.encode("").ids
    return special[:1], special[1:]


def encodable(text: str) -> str:
    """The text with each lone surrogate as one question mark, so that offsets stay."""
    return text.encode("utf-8", "replace").decode()


def pieces_of(tokenizer: Tokenizer, text: str, limit: int) -> list[Piece]:
    """Cut a text into the tokenizer's words and pack these into pieces.

    Args:
        tokenizer: It neither truncates nor pads.
        text: Any text; one without words gives no piece.
        limit: Most tokens of a piece, special ones included; a longer word is cut off.
    """
    before, after = special_ids(tokenizer)
    room = limit - len(before) - len(after)
    pieces: list[Piece] = []
    ids: list[int] = []
    firsts: list[int] = []
    words: list[tuple[int, int]] = []
    for own, start, end in _words(tokenizer, text):
        if words and len(ids) + len(own) > room:
            pieces.append(Piece((*before, *ids, *after), tuple(firsts), tuple(words)))
            ids, firsts, words = [], [], []
        firsts.append(len(before) + len(ids))
        words.append((start, end))
        ids += own[:room]
    if words:
        pieces.append(Piece((*before, *ids, *after), tuple(firsts), tuple(words)))
    return pieces


def _words(tokenizer: Tokenizer, text: str) -> list[tuple[list[int], int, int]]:
    encoded = tokenizer.encode(encodable(text), add_special_tokens=False)
    words: list[tuple[list[int], int, int]] = []
    last: int | None = None
    for id_, (start, end), word in zip(encoded.ids, encoded.offsets, encoded.word_ids, strict=True):
        while start < end and text[start].isspace():
            start += 1  # SentencePiece counts the space before a word as part of it
        if word is not None and word == last:
            ids, begin, until = words[-1]
            words[-1] = ([*ids, id_], begin if begin < until else start, max(until, end))
        else:
            words.append(([id_], start, end))
        last = word
    return [word for word in words if word[1] < word[2]]
