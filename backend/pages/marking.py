"""Texts cut into pieces, so that a page can show where spans begin and end, nested ones too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from model.spans import Span

Status = Literal["", "gold", "right", "wrong", "missed"]
_ORDER: tuple[Status, ...] = ("wrong", "missed", "right", "gold")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text.

    Attributes:
        text: Its characters.
        status: ``right``, ``wrong`` or ``missed`` inside a span of an answer, ``gold`` inside one
            of people's, empty outside all.
        tags: What ends here, in words: ``Plant``, ``missed: Plant``.
    """

    text: str
    status: Status = ""
    tags: tuple[str, ...] = ()


def gold_pieces(text: str, gold: Iterable[Span]) -> tuple[Piece, ...]:
    """A text with what people annotated."""
    return _pieces(text, [(span, "gold") for span in gold])


def answer_pieces(text: str, gold: Iterable[Span], said: Iterable[Span]) -> tuple[Piece, ...]:
    """A text with an answer: right and wrong spans, and the gold ones it missed."""
    wanted = {span.key: span for span in gold}
    found = {span.key: span for span in said}
    marked: list[tuple[Span, Status]] = [
        (span, "right" if key in wanted else "wrong") for key, span in found.items()
    ]
    marked += [(span, "missed") for key, span in wanted.items() if key not in found]
    return _pieces(text, marked)


def _pieces(text: str, marked: Iterable[tuple[Span, Status]]) -> tuple[Piece, ...]:
    inside = sorted(
        ((span, status) for span, status in marked if span.end <= len(text)),
        key=lambda item: (item[0].start, -item[0].end, item[0].label),
    )
    borders = sorted(
        {0, len(text)} | {place for span, _ in inside for place in (span.start, span.end)}
    )
    found = []
    for start, end in pairwise(borders):
        over = [(span, status) for span, status in inside if span.start <= start < span.end]
        statuses = {status for _, status in over}
        tags = tuple(_tag(span, status) for span, status in over if span.end == end)
        worst: Status = next((status for status in _ORDER if status in statuses), "")
        found.append(Piece(text[start:end], worst, tags))
    return tuple(found)


def _tag(span: Span, status: Status) -> str:
    if status == "missed":
        return f"missed: {span.label}"
    return f"wrong: {span.label}" if status == "wrong" else span.label
