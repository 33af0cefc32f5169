"""Annotated texts become training rows: packs with their targets and contrast sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.cllmfs.packing import Branch, Pack, pack
from model.cllmfs.prompt import EncodedText, PromptEncoder
from model.spans import AnnotatedText, Label, Span

_NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class Contrast:
    """One mention with its anchor and its negatives, as token indices in a pack.

    Attributes:
        anchor: Tokens of the type name.
        positive: Tokens of the mention.
        negatives: Tokens of each neighbouring word outside all mentions; at least one word.
    """

    anchor: tuple[int, ...]
    positive: tuple[int, ...]
    negatives: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One pack with targets, and the contrast sets of its mentions."""

    pack: Pack
    contrasts: tuple[Contrast, ...]


@dataclass(slots=True)
class Losses:
    """What could not be learned from, counted while rows are made.

    Attributes:
        spans: Gold spans in all.
        crossing: Gold spans that cross a window or overlap another span of their label.
        lonely: Mentions without a usable negative.
    """

    spans: int = 0
    crossing: int = 0
    lonely: int = 0


def training_rows(
    item: AnnotatedText,
    labels: Sequence[Label],
    encoder: PromptEncoder,
    counts: Losses,
    *,
    window: int,
    group: int,
    absent_weight: float = 1.0,
    descriptions: bool = True,
) -> list[TrainingRow]:
    """All questions of one text: a row per window and group of labels.

    Args:
        item: The text; a label without a span is a question answered ``none``.
        labels: The labels asked; spans of other labels serve only to keep negatives clean.
        encoder: Encodes texts and questions.
        counts: Added to.
        window: Most tokens of text in a row.
        group: Most questions in a row.
        absent_weight: Weight of the answers ``none``.
        descriptions: Whether questions carry the labels' descriptions.
    """
    asked = {label.name for label in labels}
    cuts = {edge for span in item.spans for edge in (span.start, span.end)}
    counts.spans += sum(span.label in asked for span in item.spans)
    rows = []
    kept = 0
    for text in encoder.windows(item.text, limit=window, cuts=cuts):
        mentions = {label.name: mentions_of(text, item.spans, label.name) for label in labels}
        kept += sum(map(len, mentions.values()))
        busy = _busy_words(text, item.spans)
        for first in range(0, len(labels), group):
            part = labels[first : first + group]
            rows.append(
                _row(text, part, mentions, busy, encoder, counts, absent_weight, descriptions)
            )
    counts.crossing += sum(span.label in asked for span in item.spans) - kept
    return rows


def mentions_of(text: EncodedText, spans: Sequence[Span], label: str) -> list[tuple[int, int]]:
    """Half-open word ranges of one label's spans: disjoint, in source order.

    Of two spans that overlap the one that starts first is kept, of two that start together the
    longer one. A span that does not begin and end with words of this window is left out.
    """
    starts = {word.start: number for number, word in enumerate(text.words)}
    ends = {word.end: number + 1 for number, word in enumerate(text.words)}
    ranges: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.label != label or span.start not in starts or span.end not in ends:
            continue
        first, last = starts[span.start], ends[span.end]
        if not ranges or first >= ranges[-1][1]:
            ranges.append((first, last))
    return ranges


def _busy_words(text: EncodedText, spans: Sequence[Span]) -> set[int]:
    return {
        number
        for number, word in enumerate(text.words)
        if any(span.start < word.end and word.start < span.end for span in spans)
    }


def _row(
    text: EncodedText,
    labels: Sequence[Label],
    mentions: dict[str, list[tuple[int, int]]],
    busy: set[int],
    encoder: PromptEncoder,
    counts: Losses,
    absent_weight: float,
    descriptions: bool,
) -> TrainingRow:
    questions = [encoder.question(label, descriptions=descriptions) for label in labels]
    branches = []
    for label, question in zip(labels, questions, strict=True):
        found = mentions[label.name]
        weight = 1.0 if found else absent_weight
        branches.append(Branch(question.ids, encoder.answer(text, found), weight))
    packed = pack(text.ids, branches)
    contrasts = []
    for label, question, start in zip(labels, questions, packed.starts, strict=True):
        anchor = tuple(range(start + question.name[0], start + question.name[1]))
        for first, last in mentions[label.name]:
            negatives = _negatives(text, first, last, busy)
            if not negatives:
                counts.lonely += 1
                continue
            positive = tuple(range(text.pieces[first][0], text.pieces[last - 1][1]))
            contrasts.append(Contrast(anchor, positive, negatives))
    return TrainingRow(packed, tuple(contrasts))


def _negatives(
    text: EncodedText, first: int, last: int, busy: set[int]
) -> tuple[tuple[int, ...], ...]:
    def free(numbers: range) -> list[int]:
        usable = [n for n in numbers if text.words[n].letters and n not in busy]
        return usable[:_NEIGHBOURS]

    before = free(range(first - 1, max(-1, first - 1 - 2 * _NEIGHBOURS), -1))
    after = free(range(last, min(len(text.words), last + 2 * _NEIGHBOURS)))
    return tuple(tuple(range(*text.pieces[number])) for number in sorted(before + after))
