"""The source stage: a large annotated corpus becomes varied questions for the base adapter."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from model.cllmfs.source_chat import ChatWriter
from model.cllmfs.source_lexicon import lexicon
from model.cllmfs.source_mentions import TextReading
from model.cllmfs.source_noise import chatted, lowered, natural, shouted
from model.cllmfs.source_questions import Questioner, QuestionMix
from model.spans import AnnotatedText, Label, Span

T = TypeVar("T")

_CALENDAR = frozenset(
    (
        *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
        *("October", "November", "December", "Monday", "Tuesday", "Wednesday", "Thursday"),
        *("Friday", "Saturday", "Sunday", "I"),
    )
)
_SHORTEST = 8
_LOOSE = " .,;:)('`\"&"


@dataclass(frozen=True, slots=True)
class SourceMix:
    """How source texts become questions; every share lies in [0, 1].

    Attributes:
        questions: What is asked of a text.
        sought: Share of corpus texts that are drawn because they answer a concept, all concepts
            alike; it keeps the rare ones from being asked in vain only.
        whole: Share of the other corpus texts in which every name is annotated.
        chat: Share of short informal texts written for nerloop, filled with names of the corpus.
        nameless: Share of stretches of corpus texts without any name.
        joined: Share of corpus texts made of two sentences.
        natural: Share of texts whose punctuation is joined to the words as in running text.
        noisy: Share of corpus texts with habits of chats: handles, tags, links, missing
            punctuation; chat texts have them three times in four.
        lower: Share of texts in lower case.
        upper: Share of texts in capitals.
    """

    questions: QuestionMix = field(default_factory=QuestionMix)
    sought: float = 0.3
    whole: float = 0.7
    chat: float = 0.10
    nameless: float = 0.05
    joined: float = 0.12
    natural: float = 0.6
    noisy: float = 0.10
    lower: float = 0.07
    upper: float = 0.01


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
    as "person" are therefore asked only of texts in which no capitalised word is left over, and
    common nouns and noun phrases only where the word lists and rules are sure of the answer.

    Args:
        corpus: Texts with spans of the source types, tokens with one space between them; at least
            one.
        mix: The shares.
        seed: Seeds every draw.
    """

    def __init__(self, corpus: Sequence[AnnotatedText], mix: SourceMix, seed: int) -> None:
        plain = {word for item in corpus for word in item.text.split(" ") if word.islower()}
        self._readings = [
            TextReading(item, lexicon(), whole=_is_whole(item, plain)) for item in corpus
        ]
        self._whole = [reading for reading in self._readings if reading.whole]
        self._open = [reading for reading in self._readings if not reading.whole]
        self._mix = mix
        self._random = random.Random(seed)
        self._questions = Questioner(self._readings, mix.questions, self._random)
        self._chat = ChatWriter(corpus)

    def draw(self) -> SourceText:
        """One text with its questions."""
        mix, chance = self._mix, self._random
        draw = chance.random()
        sought: int | None = None
        if draw < mix.chat:
            reading = TextReading(self._chat.write(chance), lexicon(), whole=True)
        elif draw < mix.chat + mix.nameless and self._whole:
            reading = self._nameless()
        elif self._questions.can_seek and chance.random() < mix.sought:
            number, sought = self._questions.seek()
            reading = self._readings[number]
        else:
            reading = self._plain()
        asked = self._questions.ask(reading, sought)
        spans = tuple(Span(*span, question.name) for question, found in asked for span in found)
        item = self._surface(AnnotatedText(reading.item.text, spans), chat=draw < mix.chat)
        return SourceText(item, tuple(question for question, _ in asked))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        return self._random.sample(list(items), len(items))

    def _plain(self) -> TextReading:
        mix, chance = self._mix, self._random
        pick_whole = not self._open or (bool(self._whole) and chance.random() < mix.whole)
        pool = self._whole if pick_whole else self._open
        reading = chance.choice(pool)
        if chance.random() < mix.joined:
            item = _joined(reading.item, chance.choice(pool).item)
            reading = TextReading(item, lexicon(), whole=pick_whole)
        return reading

    def _nameless(self) -> TextReading:
        item = _without_names(self._random.choice(self._whole).item)
        return TextReading(item, lexicon(), whole=True)

    def _surface(self, item: AnnotatedText, *, chat: bool) -> AnnotatedText:
        mix, chance = self._mix, self._random
        if chance.random() < mix.natural:
            item = natural(item)
        if chance.random() < (0.75 if chat else mix.noisy):
            item = chatted(item, chance)
        draw = chance.random()
        if draw < mix.lower:
            return lowered(item)
        return shouted(item) if draw < mix.lower + mix.upper else item


def _is_whole(item: AnnotatedText, plain: set[str]) -> bool:
    for number, match in enumerate(re.finditer(r"\S+", item.text)):
        token = match.group()
        inside = any(span.start <= match.start() < span.end for span in item.spans)
        if inside or not token[0].isupper() or token in _CALENDAR:
            continue
        if number > 0 or token.lower() not in plain:
            return False
    return True


def _joined(first: AnnotatedText, second: AnnotatedText) -> AnnotatedText:
    shift = len(first.text) + 1
    moved = tuple(replace(s, start=s.start + shift, end=s.end + shift) for s in second.spans)
    return AnnotatedText(f"{first.text} {second.text}", first.spans + moved)


def _without_names(item: AnnotatedText) -> AnnotatedText:
    """The longest stretch of whole tokens between two names; the whole text if all are short."""
    edges = [0, *(edge for s in item.spans for edge in (s.start, s.end)), len(item.text)]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    longest = max((item.text[first:last].strip(_LOOSE) for first, last in pairs), key=len)
    return AnnotatedText(longest) if longest.count(" ") + 1 >= _SHORTEST else item
