"""Texts as hurried people write them: typing errors, all small or all capital letters."""

from __future__ import annotations

import random
from typing import Literal

from model.spans import AnnotatedText, Span

Change = Literal["typos", "lower", "upper"]

TYPO_SHARE = 0.15
_SHORTEST = 4


def changed(item: AnnotatedText, change: Change, seed: int) -> AnnotatedText:
    """The text with typing errors or in one case; its spans move along.

    ``typos`` changes about one in seven words of four letters or more, names included: two inner
    letters change places, or one is left out or written twice. The first letter stays.

    Args:
        item: A text with gold spans.
        change: What is done to it.
        seed: Chooses the words and the errors.
    """
    if change == "typos":
        return _with_typos(item, random.Random(seed))
    signs = [sign.lower() if change == "lower" else sign.upper() for sign in item.text]
    # a few letters become two in the other case; these stay, so that no offset moves
    kept = (new if len(new) == 1 else old for old, new in zip(item.text, signs, strict=True))
    return AnnotatedText("".join(kept), item.spans)


def _with_typos(item: AnnotatedText, draw: random.Random) -> AnnotatedText:
    written: list[str] = []
    place = 0
    # for each old position where it lies now; the end of the text has one too
    moved = [0] * (len(item.text) + 1)
    for word, start in _words(item.text):
        for old in range(place, start):
            moved[old] = len(written)
            written.append(item.text[old])
        new = list(word)
        if len(word) >= _SHORTEST and word.isalpha() and draw.random() < TYPO_SHARE:
            new = _mistyped(word, draw)
        for offset in range(len(word)):
            moved[start + offset] = len(written) + min(offset, len(new) - 1)
        written += new
        place = start + len(word)
    for old in range(place, len(item.text)):
        moved[old] = len(written)
        written.append(item.text[old])
    moved[len(item.text)] = len(written)
    spans = tuple(_moved(span, moved) for span in item.spans)
    return AnnotatedText("".join(written), spans)


def _moved(span: Span, moved: list[int]) -> Span:
    start = moved[span.start]
    return Span(start, max(start + 1, moved[span.end]), span.label, span.score)


def _words(text: str) -> list[tuple[str, int]]:
    words: list[tuple[str, int]] = []
    start = None
    for place, sign in enumerate([*text, " "]):
        if sign.isalpha():
            start = place if start is None else start
        elif start is not None:
            words.append((text[start:place], start))
            start = None
    return words


def _mistyped(word: str, draw: random.Random) -> list[str]:
    signs = list(word)
    place = draw.randrange(1, len(signs) - 1)
    kind = draw.choice(("swap", "drop", "double"))
    if kind == "swap":
        signs[place], signs[place + 1] = signs[place + 1], signs[place]
    elif kind == "drop":
        del signs[place]
    else:
        signs.insert(place, signs[place])
    return signs
