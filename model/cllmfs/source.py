"""The source stage: a large annotated corpus becomes varied questions for the base adapter."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from model.cllmfs.source_concepts import COARSE, FINE, WORDS, Concept
from model.spans import AnnotatedText, Label, Span

T = TypeVar("T")

_CALENDAR = frozenset(
    (
        *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
        *("October", "November", "December", "Monday", "Tuesday", "Wednesday", "Thursday"),
        *("Friday", "Saturday", "Sunday", "I"),
    )
)
_TIGHT_LEFT = re.compile(r"^(?:[.,;:!?%)\]’]+|['’](?:s|re|ve|ll|d|m|S)|n['’]t|'+)$")
_TIGHT_RIGHT = frozenset(("(", "[", "$", "£", "€", "#", "``"))
_QUOTE = '"'


@dataclass(frozen=True, slots=True)
class SourceMix:
    """How source texts become questions; every share lies in [0, 1].

    Attributes:
        present: Most present concepts asked of one text.
        absent: Most absent concepts asked of one text; at least one is.
        coarse: Share of broad names where they may be asked.
        words: Share of texts that are also asked for a word-list concept.
        described: Share of questions with a description.
        natural: Share of texts whose punctuation is joined to the words as in running text.
        lower: Share of texts in lower case.
        joined: Share of texts made of two sentences.
        whole: Share of texts in which every name is annotated.
    """

    present: int = 4
    absent: int = 5
    coarse: float = 0.6
    words: float = 0.35
    described: float = 0.25
    natural: float = 0.6
    lower: float = 0.06
    joined: float = 0.15
    whole: float = 0.75


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text with the questions asked of it.

    Attributes:
        item: The text; span labels are the names of ``labels``.
        labels: The questions, in the order asked.
    """

    item: AnnotatedText
    labels: tuple[Label, ...]


class SourceSampler:
    """Draws texts with questions from an annotated corpus.

    The corpus annotates only some types; names of others look like plain text. Broad concepts such
    as "person" are therefore asked only of texts in which no capitalised word is left over.

    Args:
        corpus: Texts with spans of the source types; at least one.
        mix: The shares.
        seed: Seeds every draw.
    """

    def __init__(self, corpus: Sequence[AnnotatedText], mix: SourceMix, seed: int) -> None:
        plain = {word for item in corpus for word in item.text.split(" ") if word.islower()}
        self._whole = [item for item in corpus if _is_whole(item, plain)]
        self._open = [item for item in corpus if not _is_whole(item, plain)]
        self._mix = mix
        self._random = random.Random(seed)

    def draw(self) -> SourceText:
        """One text with its questions."""
        mix, chance = self._mix, self._random
        pick_whole = not self._open or (bool(self._whole) and chance.random() < mix.whole)
        pool = self._whole if pick_whole else self._open
        item = chance.choice(pool)
        if chance.random() < mix.joined:
            item = _joined(item, chance.choice(pool))
        asked = self._concepts(item, whole=pick_whole)
        text = AnnotatedText(item.text, tuple(span for _, spans in asked for span in spans))
        if chance.random() < mix.natural:
            text = natural(text)
        if chance.random() < mix.lower and len(text.text.lower()) == len(text.text):
            text = replace(text, text=text.text.lower())
        return SourceText(text, tuple(label for label, _ in asked))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        return self._random.sample(list(items), len(items))

    def _concepts(
        self, item: AnnotatedText, *, whole: bool
    ) -> list[tuple[Label, tuple[Span, ...]]]:
        mix, chance = self._mix, self._random
        kinds = sorted({span.label for span in item.spans})
        fine = [c for c in FINE if any(c.covers(kind) for kind in kinds)]
        coarse = [c for c in COARSE if whole and any(c.covers(kind) for kind in kinds)]
        present: list[Concept] = []
        for concept in chance.sample(coarse + fine, len(coarse) + len(fine)):
            wanted = mix.coarse if concept in coarse else 1 - mix.coarse if whole else 1.0
            if len(present) < mix.present and chance.random() < wanted:
                present.append(concept)
        nearby = [c for c in WORDS if _listed(item, c)]
        if nearby and chance.random() < mix.words:
            present.append(chance.choice(nearby))
        broad = [c for c in COARSE if whole and c not in coarse]
        narrow = [c for c in FINE if c not in fine]
        absent: list[Concept] = []
        for _ in range(chance.randint(1, mix.absent)):
            draw = chance.random()
            source = broad if broad and draw < mix.coarse else narrow
            if draw > 0.93:
                source = [c for c in WORDS if c not in nearby] or narrow
            concept = chance.choice(source)
            if concept not in absent:
                absent.append(concept)
        everything = present + absent
        chance.shuffle(everything)
        return [self._asked(item, concept, number) for number, concept in enumerate(everything)]

    def _asked(
        self, item: AnnotatedText, concept: Concept, number: int
    ) -> tuple[Label, tuple[Span, ...]]:
        chance = self._random
        name = chance.choice(concept.names)
        style = chance.random()
        if style < 0.2:
            name = name[0].upper() + name[1:]
        elif style < 0.25:
            name = name.upper()
        description = concept.description if chance.random() < self._mix.described else ""
        # The number keeps two questions that happen to share their words apart.
        label = Label(f"{number}:{name}", name, description)
        spans = _listed(item, concept) if concept.words else _covered(item, concept)
        return label, tuple(replace(span, label=label.name) for span in spans)


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


def _covered(item: AnnotatedText, concept: Concept) -> list[Span]:
    return [span for span in item.spans if concept.covers(span.label)]


def _listed(item: AnnotatedText, concept: Concept) -> list[Span]:
    spans = []
    for start, token in _tokens(item.text):
        listed = token in concept.words or (token in _CALENDAR and token.lower() in concept.words)
        if listed and not any(span.start <= start < span.end for span in item.spans):
            spans.append(Span(start, start + len(token), "listed"))
    return spans


def _tokens(text: str) -> list[tuple[int, str]]:
    return [(match.start(), match.group()) for match in re.finditer(r"\S+", text)]


def _is_whole(item: AnnotatedText, plain: set[str]) -> bool:
    for number, (start, token) in enumerate(_tokens(item.text)):
        inside = any(span.start <= start < span.end for span in item.spans)
        if inside or not token[0].isupper() or token in _CALENDAR:
            continue
        if number > 0 or token.lower() not in plain:
            return False
    return True


def _joined(first: AnnotatedText, second: AnnotatedText) -> AnnotatedText:
    shift = len(first.text) + 1
    moved = tuple(replace(s, start=s.start + shift, end=s.end + shift) for s in second.spans)
    return AnnotatedText(f"{first.text} {second.text}", first.spans + moved)
