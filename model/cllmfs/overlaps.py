"""Labels are asked one by one, so their answers may overlap; one span per place is kept."""

from __future__ import annotations

from collections.abc import Iterable

from model.spans import Span


def without_overlaps(spans: Iterable[Span], *, nested: bool = False) -> list[Span]:
    """Keep the most confident of the spans that share a character, greedily; in source order.

    Ties go to the earlier start, then the earlier end, then the label's name, so that the result
    does not depend on the order given.

    Args:
        spans: Spans of any label.
        nested: Whether a span may lie inside another one; spans that cross, or that cover the same
            characters, still exclude each other.
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (-span.score, *span.key)):
        if all(_apart(span, other) or (nested and _inside(span, other)) for other in kept):
            kept.append(span)
    return sorted(kept)


def _apart(one: Span, other: Span) -> bool:
    return one.end <= other.start or other.end <= one.start


def _inside(one: Span, other: Span) -> bool:
    """Whether one lies in the other, whichever it is, and they are not the same stretch."""
    if (one.start, one.end) == (other.start, other.end):
        return False
    inner, outer = sorted((one, other), key=lambda span: span.end - span.start)
    return outer.start <= inner.start and inner.end <= outer.end
