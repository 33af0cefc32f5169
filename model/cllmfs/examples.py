"""Annotated texts become training rows: packs with their targets and contrast sets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from model.cllmfs.config import ContrastLoss, LossOn
from model.cllmfs.packing import Branch, Pack, pack
from model.cllmfs.prompt import EncodedText, Prompt, PromptEncoder
from model.spans import AnnotatedText, Label, Span

_NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class Contrast:
    """One mention with its anchor and its negatives, as token indices in a pack.

    Attributes:
        anchor: Tokens of the type name.
        positive: Tokens of the mention, in order.
        negatives: Tokens of each neighbouring word outside all mentions; at least one word. For
            the pairwise loss up to two single tokens on each side, whatever they belong to.
    """

    anchor: tuple[int, ...]
    positive: tuple[int, ...]
    negatives: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One pack with targets, and the contrast sets of its mentions."""

    pack: Pack
    contrasts: tuple[Contrast, ...]


def parts_of(rows: Sequence[TrainingRow], limit: int) -> list[list[TrainingRow]]:
    """Split rows that are read together into parts of at most ``limit`` tokens, padding included.

    Rows of similar length come together; a row longer than the limit is a part of its own.
    """
    parts: list[list[TrainingRow]] = []
    for row in sorted(rows, key=lambda row: len(row.pack.ids)):
        if parts and len(row.pack.ids) * (len(parts[-1]) + 1) <= limit:
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


@dataclass(slots=True)
class Losses:
    """What could not be learned from, counted while rows are made.

    Attributes:
        spans: Gold spans in all.
        crossing: Gold spans that cross a window, overlap another span of their label where words
            are used once, or hold a word that no answer may copy.
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
    packed: bool = True,
    contrast: ContrastLoss = "info_nce",
    loss_on: LossOn = "answer",
    reuse_words: bool = False,
    absent_share: float = 1.0,
    draw: random.Random | None = None,
) -> list[TrainingRow]:
    """All questions of one text: a row per window and group of labels.

    Args:
        item: The text; a label without a span is a question answered ``none``.
        labels: The labels asked; spans of other labels serve only to keep negatives clean.
        encoder: Encodes texts and questions, and decides on the row format.
        counts: Added to.
        window: Most tokens of text in a row.
        group: Most questions in a row.
        absent_weight: Weight of the answers ``none``.
        descriptions: Whether questions carry the labels' descriptions.
        packed: Without it, every question is a row of its own.
        contrast: The contrastive term the rows are for.
        loss_on: Whether the answer alone is learned or the whole row.
        reuse_words: Whether mentions of one label may share words.
        absent_share: Share of a window's ``none`` answers that is kept, in [0, 1].
        draw: Chooses them; needed where the share is neither 0 nor 1.

    Raises:
        ValueError: If a choice is needed and ``draw`` is missing.
    """
    asked = {label.name for label in labels}
    cuts = {edge for span in item.spans for edge in (span.start, span.end)}
    counts.spans += sum(span.label in asked for span in item.spans)
    rows = []
    kept = 0
    for text in encoder.windows(item.text, limit=window, cuts=cuts):
        mentions = {
            label.name: mentions_of(text, item.spans, label.name, reuse_words=reuse_words)
            for label in labels
        }
        kept += sum(map(len, mentions.values()))
        busy = _busy_words(text, item.spans)
        part = _without_some_absent(labels, mentions, absent_share, draw)
        for prompt in encoder.prompts(
            text, part, descriptions=descriptions, group=group, packed=packed
        ):
            own = [mentions[label.name] for label in part[prompt.first :][: len(prompt.questions)]]
            row = _packed(prompt, own, encoder, absent_weight, whole=loss_on == "row")
            sets = _contrasts(prompt, own, row, busy, counts, contrast)
            rows.append(TrainingRow(row, sets))
    counts.crossing += sum(span.label in asked for span in item.spans) - kept
    return rows


def mentions_of(
    text: EncodedText, spans: Sequence[Span], label: str, *, reuse_words: bool = False
) -> list[tuple[int, int]]:
    """Half-open word ranges of one label's spans, in source order; what an answer can list.

    Of two spans that overlap the one that starts first is kept, of two that start together the
    longer one. A span that does not begin and end with words of this window is left out, and so
    is one with a word that cannot be copied.

    Args:
        text: The window.
        spans: Spans of any label.
        label: Name of the label.
        reuse_words: Whether spans may overlap: then each is kept once, the longer one first where
            two start together.
    """
    starts = {word.start: number for number, word in enumerate(text.words)}
    ends = {word.end: number + 1 for number, word in enumerate(text.words)}
    ranges: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.label != label or span.start not in starts or span.end not in ends:
            continue
        first, last = starts[span.start], ends[span.end]
        free = not ranges or (
            ranges[-1] != (first, last) if reuse_words else first >= ranges[-1][1]
        )
        if free and all(text.usable[first:last]):
            ranges.append((first, last))
    return ranges


def _without_some_absent(
    labels: Sequence[Label],
    mentions: dict[str, list[tuple[int, int]]],
    share: float,
    draw: random.Random | None,
) -> Sequence[Label]:
    if share == 1:
        return labels
    absent = [label.name for label in labels if not mentions[label.name]]
    kept: list[str] = []
    if share > 0:
        if draw is None:
            raise ValueError("a generator is needed to choose among the absent labels")
        # Rounded at random, so that the mean is right where a text has few labels.
        kept = draw.sample(absent, min(len(absent), int(share * len(absent) + draw.random())))
    return [label for label in labels if mentions[label.name] or label.name in kept]


def _busy_words(text: EncodedText, spans: Sequence[Span]) -> set[int]:
    return {
        number
        for number, word in enumerate(text.words)
        if any(span.start < word.end and word.start < span.end for span in spans)
    }


def _packed(
    prompt: Prompt,
    mentions: Sequence[list[tuple[int, int]]],
    encoder: PromptEncoder,
    absent_weight: float,
    *,
    whole: bool,
) -> Pack:
    branches = [
        Branch(question.ids, encoder.answer(prompt.text, found), 1.0 if found else absent_weight)
        for question, found in zip(prompt.questions, mentions, strict=True)
    ]
    return pack(prompt.text.ids, branches, whole=whole)


def _contrasts(
    prompt: Prompt,
    mentions: Sequence[list[tuple[int, int]]],
    row: Pack,
    busy: set[int],
    counts: Losses,
    contrast: ContrastLoss,
) -> tuple[Contrast, ...]:
    text = prompt.text
    contrasts = []
    for question, found, start in zip(prompt.questions, mentions, row.starts, strict=True):
        offset = 0 if question.name_in_text else start
        anchor = tuple(range(offset + question.name[0], offset + question.name[1]))
        for first, last in found:
            if contrast == "pairwise":
                negatives = _tokens_beside(text, first, last)
            else:
                negatives = _negatives(text, first, last, busy)
            if not negatives:
                counts.lonely += 1
                continue
            positive = tuple(range(text.pieces[first][0], text.pieces[last - 1][1]))
            contrasts.append(Contrast(anchor, positive, negatives))
    return tuple(contrasts)


def _tokens_beside(text: EncodedText, first: int, last: int) -> tuple[tuple[int, ...], ...]:
    start, end = text.pieces[first][0], text.pieces[last - 1][1]
    before = range(max(text.pieces[0][0], start - _NEIGHBOURS), start)
    after = range(end, min(text.pieces[-1][1], end + _NEIGHBOURS))
    return tuple((token,) for token in (*before, *after))


def _negatives(
    text: EncodedText, first: int, last: int, busy: set[int]
) -> tuple[tuple[int, ...], ...]:
    def free(numbers: range) -> list[int]:
        usable = [n for n in numbers if text.words[n].letters and n not in busy]
        return usable[:_NEIGHBOURS]

    before = free(range(first - 1, max(-1, first - 1 - 2 * _NEIGHBOURS), -1))
    after = free(range(last, min(len(text.words), last + 2 * _NEIGHBOURS)))
    return tuple(tuple(range(*text.pieces[number])) for number in sorted(before + after))
