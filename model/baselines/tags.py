"""Words of a text as an encoder's tokens, and their BIO tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from model.spans import Span

OUTSIDE = 0


@dataclass(frozen=True, slots=True)
class TaggedWords:
    """A piece of a text that is read at once.

    Attributes:
        ids: Token ids, the special ones around the text included.
        firsts: For each word the index of its first token in ``ids``.
        words: For each word its half-open range in the text, in code points.
    """

    ids: tuple[int, ...]
    firsts: tuple[int, ...]
    words: tuple[tuple[int, int], ...]


def pieces_of(tokenizer: Tokenizer, text: str, limit: int) -> list[TaggedWords]:
    """Cut a text into the tokenizer's words and pack these into pieces.

    Args:
        tokenizer: It neither truncates nor pads.
        text: Any text; one without words gives no piece.
        limit: Most tokens of a piece, special ones included; a longer word is cut off.
    """
    special = tokenizer.encode("").ids
    before, after = special[:1], special[1:]
    room = limit - len(special)
    # lone surrogates cannot be encoded; each becomes one question mark, so offsets stay
    encoded = tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)
    groups: list[tuple[list[int], int, int]] = []
    last: int | None = None
    for id_, (start, end), word in zip(encoded.ids, encoded.offsets, encoded.word_ids, strict=True):
        if word is not None and word == last:
            groups[-1] = ([*groups[-1][0], id_], groups[-1][1], max(groups[-1][2], end))
        else:
            groups.append(([id_], start, end))
        last = word
    pieces: list[TaggedWords] = []
    ids: list[int] = []
    firsts: list[int] = []
    words: list[tuple[int, int]] = []
    for own, start, end in (group for group in groups if group[1] < group[2]):
        if words and len(ids) + len(own) > room:
            pieces.append(TaggedWords((*before, *ids, *after), tuple(firsts), tuple(words)))
            ids, firsts, words = [], [], []
        firsts.append(len(before) + len(ids))
        words.append((start, end))
        ids += own[:room]
    if words:
        pieces.append(TaggedWords((*before, *ids, *after), tuple(firsts), tuple(words)))
    return pieces


def tags_of(
    words: Sequence[tuple[int, int]], spans: Sequence[Span], labels: Sequence[str]
) -> list[int]:
    """One tag per word: 0 outside, ``1 + 2 i`` begins a span of label ``i``, ``2 + 2 i`` goes on.

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


def spans_of(
    words: Sequence[tuple[int, int]],
    tags: Sequence[int],
    scores: Sequence[float],
    labels: Sequence[str],
) -> list[Span]:
    """The spans that tags describe; a tag that goes on without a beginning opens a span.

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


def _label(tag: int) -> int:
    return (tag - 1) // 2
