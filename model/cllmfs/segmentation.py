"""Text to words with exact offsets, and long texts to windows of whole words."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

# Scripts written without spaces: every character is a word of its own.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK and Kangxi radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)
_JOINER = "\u200d"
# Texts repeat their characters, and every one is asked about several times.
_KNOWN = 4096


@dataclass(frozen=True, slots=True)
class Word:
    """A stretch of text that is copied whole or not at all.

    Attributes:
        start: First code point.
        end: One past the last code point.
        spaced: Whether white space, or the beginning of the text, stands before it.
        letters: Whether it consists of letters or digits, not of punctuation or symbols.
    """

    start: int
    end: int
    spaced: bool
    letters: bool


def words_of(text: str, cuts: Collection[int] = ()) -> list[Word]:
    """Cut a text into words, numbers, single characters of unspaced scripts, and symbols.

    Combining marks, variation selectors and joined emoji stay with the character they modify.

    Args:
        text: Any text.
        cuts: Positions at which a word must end: gold boundaries inside words.

    Returns:
        The words in source order; white space belongs to none.
    """
    words: list[Word] = []
    forced = set(cuts)
    position, spaced = 0, True
    while position < len(text):
        if text[position].isspace():
            position, spaced = position + 1, True
            continue
        end = _cluster_end(text, position)
        letters = _joins(text[position])
        if letters:
            while end < len(text) and _joins(text[end]) and end not in forced:
                end = _cluster_end(text, end)
        letters = letters or _is_unspaced(text[position])
        for piece_end in [*sorted(c for c in forced if position < c < end), end]:
            words.append(Word(position, piece_end, spaced, letters))
            position, spaced = piece_end, False
    return words


def windows_of(sizes: Sequence[int], breaks: Sequence[bool], limit: int) -> list[tuple[int, int]]:
    """Cut a run of words into windows that hold at most ``limit`` tokens where possible.

    A window ends after the last sentence end in its second half, or else where it is full. A single
    word larger than the limit gets a window of its own.

    Args:
        sizes: Tokens of each word.
        breaks: Whether a sentence ends with the word.
        limit: Most tokens in a window. Above zero.

    Returns:
        Half-open word ranges that cover all words in order; one empty range for no words.
    """
    ranges: list[tuple[int, int]] = []
    first = 0
    while first < len(sizes):
        last, total = first, 0
        while last < len(sizes) and (last == first or total + sizes[last] <= limit):
            total += sizes[last]
            last += 1
        if last < len(sizes):
            middle = first + (last - first) // 2
            ends = [word + 1 for word in range(middle, last) if breaks[word]]
            last = ends[-1] if ends else last
        ranges.append((first, last))
        first = last
    return ranges or [(0, 0)]


def _joins(character: str) -> bool:
    return character.isalnum() and not _is_unspaced(character)


@lru_cache(maxsize=_KNOWN)
def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return any(low <= code <= high for low, high in _UNSPACED)


@lru_cache(maxsize=_KNOWN)
def _extends(character: str) -> bool:
    # Marks (Mn, Mc, Me) and invisible format characters (Cf: joiners, selectors, tags); the emoji
    # skin tones are ordinary symbols by category.
    return (
        unicodedata.category(character)[0] == "M"
        or unicodedata.category(character) == "Cf"
        or 0x1F3FB <= ord(character) <= 0x1F3FF
    )


def _cluster_end(text: str, start: int) -> int:
    end = start + 1
    while end < len(text) and (_extends(text[end]) or _joined(text, end)):
        end += 1
    return end


def _joined(text: str, position: int) -> bool:
    return text[position - 1] == _JOINER and not text[position].isspace()
