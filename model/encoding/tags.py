"""BIO and IO tags of words, and the spans that tags describe."""

from __future__ import annotations

from collections.abc import Sequence

from model.spans import Span

OUTSIDE = 0

Words = Sequence[tuple[int, int]]
"""Half-open ranges of the words in their text, in code points."""


def tags_of(words: Words, spans: Sequence[Span], labels: Sequence[str]) -> list[int]:
    """One BIO tag per word: 0 outside, ``1 + 2 i`` begins label ``i``, ``2 + 2 i`` goes on in it.

    A word belongs to a span that it overlaps; where spans overlap, the one that starts first wins.
    """
    tags = [OUTSIDE] * len(words)
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.label not in labels:
            continue
        inside = [
            n for n, (start, end) in enumerate(words) if start < span.end and span.start < end
        ]
        if inside and all(tags[number] == OUTSIDE for number in inside):
            begin = 1 + 2 * labels.index(span.label)
            for number in inside:
                tags[number] = begin if number == inside[0] else begin + 1
    return tags


def io_tags_of(words: Words, spans: Sequence[Span], labels: Sequence[str]) -> list[int]:
    """One IO tag per word: 0 outside, ``1 + i`` inside label ``i``; see :func:`tags_of`."""
    return [0 if tag == OUTSIDE else 1 + _label(tag) for tag in tags_of(words, spans, labels)]


def spans_of(
    words: Words, tags: Sequence[int], scores: Sequence[float], labels: Sequence[str]
) -> list[Span]:
    """The spans that BIO tags describe; a tag that goes on without a beginning opens a span.

    Args:
        words: Ranges of the words.
        tags: One tag per word.
        scores: Probability of each tag; a span has the mean of its words.
        labels: Names by number.
    """
    spans: list[Span] = []
    opened: list[int] = []
    for number in range(len(words) + 1):
        tag = tags[number] if number < len(words) else OUTSIDE
        continues = (
            bool(opened)
            and tag != OUTSIDE
            and tag % 2 == 0
            and _label(tag) == _label(tags[opened[0]])
        )
        if opened and not continues:
            score = sum(scores[place] for place in opened) / len(opened)
            name = labels[_label(tags[opened[0]])]
            spans.append(Span(words[opened[0]][0], words[opened[-1]][1], name, score))
            opened = []
        if tag != OUTSIDE:
            opened.append(number)
    return spans


def spans_of_io(
    words: Words, tags: Sequence[int], scores: Sequence[float], labels: Sequence[str]
) -> list[Span]:
    """The spans that IO tags describe: neighbouring words of one label; see :func:`spans_of`."""
    return spans_of(words, [2 * tag for tag in tags], scores, labels)


def _label(tag: int) -> int:
    return (tag - 1) // 2
