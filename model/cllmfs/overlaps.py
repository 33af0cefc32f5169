"""Labels are asked one by one, so their answers may overlap; one span per place is kept."""

from __future__ import annotations

from collections.abc import Iterable

from model.spans import Span


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Keep the most confident of the spans that share a character, greedily; in source order.

    Ties go to the earlier start, then the earlier end, then the label's name, so that the result
    does not depend on the order given.
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (-span.score, *span.key)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept)
