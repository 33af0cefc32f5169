"""Changes of the surface of a text that keep its spans: joined punctuation, chat habits."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from model.spans import AnnotatedText

_TIGHT_LEFT = re.compile(r"^(?:[.,;:!?%)\]’]+|['’](?:s|re|ve|ll|d|m|S)|n['’]t|'+)$")
_TIGHT_RIGHT = frozenset(("(", "[", "$", "£", "€", "#", "``"))
_QUOTE = '"'
_HANDLES = (
    "sam",
    "liz",
    "jojo",
    "max",
    "the_real",
    "dj",
    "miss",
    "mr",
    "xo",
    "fan",
    "news",
    "king",
)
_TAGS = (
    *("#fail", "#tbt", "#fun", "#nowplaying", "#love", "#news", "#win", "#monday", "#mood"),
    *("#lol", "#blessed", "#random", "#justsaying", "#help", "#weekend", "#follow", "#live"),
)
_FACES = (
    *(
        "😂",
        "😍",
        "🔥",
        "❤️",
        "😭",
        "👍",
        "🙏",
        "🎉",
        "😎",
        "🤔",
        "👀",
        "💯",
        "😅",
        ":)",
        ":(",
        ":D",
    ),
    *(";)", "<3", "xD", ":/", ":P", "xx"),
)
_FILLERS = ("lol", "omg", "haha", "wow", "ugh", "smh", "yay", "tbh", "lmao", "hmm", "ok so")
_SHORT = dict(
    pair.split(":")
    for pair in (
        *("you:u", "your:ur", "are:r", "and:&", "because:cos", "with:w/", "for:4", "to:2"),
        *("people:ppl", "before:b4", "though:tho", "tonight:2nite", "please:pls", "about:abt"),
    )
)


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from ``start`` to ``end`` by ``text``."""

    start: int
    end: int
    text: str


def edited(item: AnnotatedText, edits: Sequence[Edit]) -> AnnotatedText:
    """Apply edits that do not overlap; spans move along.

    Text inserted at the beginning of a span comes before it, text inserted at its end after it.

    Args:
        item: The text.
        edits: Edits in any order; none may cross the boundary of a span, replace the whole of
            one by nothing, or overlap another.
    """
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
    pieces: list[str] = []
    position = 0
    for edit in ordered:
        pieces += (item.text[position : edit.start], edit.text)
        position = edit.end
    pieces.append(item.text[position:])

    def moved(place: int, *, opening: bool) -> int:
        shift = 0
        for edit in ordered:
            before = edit.end < place or (edit.end == place and (opening or edit.start < place))
            shift += (len(edit.text) - (edit.end - edit.start)) if before else 0
        return place + shift

    spans = tuple(
        replace(span, start=moved(span.start, opening=True), end=moved(span.end, opening=False))
        for span in item.spans
    )
    return AnnotatedText("".join(pieces), spans)


def natural(item: AnnotatedText) -> AnnotatedText:
    """Join punctuation to its word as in running text; offsets move along."""
    kept: list[str] = []
    moved: list[int] = []
    quote_open = False
    glue = True
    length = 0
    for token in item.text.split(" "):
        closes = quote_open and token in _QUOTE
        tight = glue or closes or bool(_TIGHT_LEFT.match(token))
        if kept and not tight:
            kept.append(" ")
            length += 1
        if kept:
            moved.append(length)  # where the old space before this token now ends
        moved += range(length, length + len(token))
        kept.append(token)
        length += len(token)
        opens = not quote_open and token in _QUOTE
        quote_open = opens or (quote_open and not closes)
        glue = opens or token in _TIGHT_RIGHT
    moved.append(length)
    spans = tuple(
        replace(span, start=moved[span.start], end=moved[span.end - 1] + 1) for span in item.spans
    )
    return AnnotatedText("".join(kept), spans)


def lowered(item: AnnotatedText) -> AnnotatedText:
    """In lower case, unless that changes the length."""
    lower = item.text.lower()
    return replace(item, text=lower) if len(lower) == len(item.text) else item


def shouted(item: AnnotatedText) -> AnnotatedText:
    """In capitals, unless that changes the length."""
    upper = item.text.upper()
    return replace(item, text=upper) if len(upper) == len(item.text) else item


def chatted(item: AnnotatedText, chance: random.Random) -> AnnotatedText:
    """Give a text two or three habits of chats and posts."""
    habits: list[Callable[[AnnotatedText, random.Random], list[Edit]]]
    habits = [_greeted, _tagged, _linked, _faced, _unpunctuated, _stretched, _shortened, _loud]
    for habit in chance.sample(habits, chance.randint(2, 3)):
        item = edited(item, habit(item, chance))
    return item


def _outside(item: AnnotatedText, pattern: str) -> list[re.Match[str]]:
    return [
        match
        for match in re.finditer(pattern, item.text)
        if not any(s.start < match.end() and match.start() < s.end for s in item.spans)
    ]


def _greeted(_item: AnnotatedText, chance: random.Random) -> list[Edit]:
    handle = f"@{chance.choice(_HANDLES)}{chance.choice(_HANDLES)}{chance.randint(0, 99) or ''}"
    opening = chance.choice((f"{handle} ", f"RT {handle} : ", f"{chance.choice(_FILLERS)} "))
    return [Edit(0, 0, opening)]


def _tagged(item: AnnotatedText, chance: random.Random) -> list[Edit]:
    tags = " ".join(chance.sample(_TAGS, chance.randint(1, 2)))
    return [Edit(len(item.text), len(item.text), f" {tags}")]


def _linked(item: AnnotatedText, chance: random.Random) -> list[Edit]:
    code = "".join(chance.choices("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=7))
    host = chance.choice(("http://t.co/", "http://bit.ly/", "https://tinyurl.com/", "pic.tw/"))
    return [Edit(len(item.text), len(item.text), f" {host}{code}")]


def _faced(item: AnnotatedText, chance: random.Random) -> list[Edit]:
    return [Edit(len(item.text), len(item.text), f" {chance.choice(_FACES)}")]


def _unpunctuated(item: AnnotatedText, _chance: random.Random) -> list[Edit]:
    return [Edit(m.start(), m.end(), "") for m in _outside(item, r" ?[.,;:](?= |$)")]


def _stretched(item: AnnotatedText, chance: random.Random) -> list[Edit]:
    words = _outside(item, r"\b[a-z]{2,5}[aeiouy]\b")
    if not words:
        return []
    end = chance.choice(words).end()
    return [Edit(end, end, item.text[end - 1] * chance.randint(2, 4))]


def _shortened(item: AnnotatedText, _chance: random.Random) -> list[Edit]:
    words = _outside(item, r"(?<!\S)[a-z]+(?!\S)")
    return [Edit(m.start(), m.end(), _SHORT[m.group()]) for m in words if m.group() in _SHORT]


def _loud(item: AnnotatedText, chance: random.Random) -> list[Edit]:
    words = _outside(item, r"(?<!\S)[a-z]{3,}(?!\S)")
    chosen = chance.sample(words, min(len(words), chance.randint(1, 2)))
    return [Edit(m.start(), m.end(), m.group().upper()) for m in chosen]
