"""Which questions are asked of a source text, in which words, and what their answers are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from model.cllmfs.source_concepts import Concept, concepts
from model.cllmfs.source_lexicon import MentionConcept, NounConcept, lexicon
from model.cllmfs.source_mentions import Ranges, TextReading
from model.cllmfs.source_patterns import PatternConcept, patterns
from model.cllmfs.source_phrases import Extent
from model.cllmfs.source_wording import described, formed, hint, styled
from model.spans import Label

AnyConcept = Concept | NounConcept | MentionConcept | PatternConcept
Asked = tuple[Label, Ranges]
_Family = Literal["names", "nouns", "mentions", "patterns"]


@dataclass(frozen=True, slots=True)
class QuestionMix:
    """What is asked of a text; every share lies in [0, 1].

    Attributes:
        fewest: Fewest questions.
        most: Most questions.
        present: Share of questions that have an answer, where the text has enough of them.
        nouns: Share of questions about common nouns.
        mentions: Share of questions about all mentions of a broad kind, however worded.
        patterns: Share of questions about dates, amounts and measures.
        broad: Share of the broad concepts among the other questions, where they may be asked.
        described: Share of questions with a description, where none is needed.
        hinted: Share of questions about nouns that say how much of the phrase a mention takes.
    """

    fewest: int = 3
    most: int = 8
    present: float = 0.6
    nouns: float = 0.12
    mentions: float = 0.1
    patterns: float = 0.04
    broad: float = 0.5
    described: float = 0.25
    hinted: float = 0.4


@dataclass(frozen=True, slots=True)
class _Choice:
    """A concept with its family and its place in the list of all concepts."""

    number: int
    family: _Family
    concept: AnyConcept

    def found(self, reading: TextReading, extent: Extent) -> Ranges | None:
        if isinstance(self.concept, Concept):
            return reading.names(self.concept)
        if isinstance(self.concept, NounConcept):
            return reading.nouns(self.concept, extent)
        if isinstance(self.concept, MentionConcept):
            return reading.mentions(self.concept, extent)
        return reading.matches(self.concept)


class Questioner:
    """Asks texts.

    Args:
        readings: All texts of the corpus.
        mix: The shares.
        chance: Source of every draw.
    """

    def __init__(
        self, readings: Sequence[TextReading], mix: QuestionMix, chance: random.Random
    ) -> None:
        self._mix = mix
        self._random = chance
        self._choices = _choices()
        # A name of the corpus' types alone stands for names, that of a kind for whole phrases.
        self._plain = {name for concept in concepts() for name in concept.names}
        self._told = self._plain.union(*(kind.names for kind in lexicon().mentions))
        self._answers: list[list[int]] = [[] for _ in self._choices]
        for number, reading in enumerate(readings):
            for choice in self._choices:
                found = choice.found(reading, "full")
                # A kind is sought for its nouns and patterns: its names are asked often enough.
                names = reading.name_ranges if choice.family == "mentions" else frozenset()
                if found and not names.issuperset(found):
                    self._answers[choice.number].append(number)
        wanted = {"names", *(family for family, share in self._shares() if share)}
        answered = [c for c in self._choices if self._answers[c.number] and c.family in wanted]
        kinds = [choice for choice in answered if choice.family == "mentions"]
        # Kinds stand for many concepts each: they are sought twice as often.
        self._sought = [choice.number for choice in (*answered, *kinds)]

    @property
    def can_seek(self) -> bool:
        """Whether any concept has an answer in the corpus."""
        return bool(self._sought)

    def seek(self) -> tuple[int, int]:
        """A text that answers a concept, every concept alike: the numbers of text and concept."""
        number = self._random.choice(self._sought)
        return self._random.choice(self._answers[number]), number

    def ask(self, reading: TextReading, sought: int | None = None) -> list[Asked]:
        """The questions of a text with their answers, in the order asked.

        Args:
            reading: The text.
            sought: Number of a concept to ask in any case.
        """
        mix, chance = self._mix, self._random
        extents: dict[int, Extent] = {c.number: self._extent(c) for c in self._choices}
        found = {c.number: c.found(reading, extents[c.number]) for c in self._choices}
        if sought is not None and not found[sought]:
            extents[sought] = "full"
            found[sought] = self._choices[sought].found(reading, "full")
        chosen = [] if sought is None else [sought]
        wanted = chance.randint(mix.fewest, mix.most)
        tries = 0
        while len(chosen) < wanted and tries < 4 * wanted:
            tries += 1
            number = self._one(found, self._family(), chosen)
            if number is not None:
                chosen.append(number)
        chance.shuffle(chosen)
        return [
            self._worded(self._choices[number], extents[number], found[number] or [], place)
            for place, number in enumerate(chosen)
        ]

    def _shares(self) -> tuple[tuple[_Family, float], ...]:
        mix = self._mix
        return ("nouns", mix.nouns), ("mentions", mix.mentions), ("patterns", mix.patterns)

    def _family(self) -> _Family:
        draw = self._random.random()
        for family, share in self._shares():
            if draw < share:
                return family
            draw -= share
        return "names"

    def _one(
        self, found: dict[int, Ranges | None], family: _Family, taken: Sequence[int]
    ) -> int | None:
        """A concept of a family that is not taken; None where the draw meets no candidate."""
        mix, chance = self._mix, self._random
        present = chance.random() < mix.present
        broad = chance.random() < mix.broad
        candidates = [
            choice
            for choice in self._choices
            if choice.family == family
            and choice.number not in taken
            and found[choice.number] is not None
            and bool(found[choice.number]) == present
        ]
        # Names: broad or narrow concepts as drawn, where both would do.
        candidates = [
            c for c in candidates if isinstance(c.concept, Concept) and c.concept.broad == broad
        ] or candidates
        if not candidates:
            return None
        if present:
            return chance.choice(candidates).number
        # What is asked in vain is as frequent as what is there: no concept learns to be absent.
        weights = [1 + len(self._answers[choice.number]) ** 0.5 for choice in candidates]
        return chance.choices(candidates, weights)[0].number

    def _extent(self, choice: _Choice) -> Extent:
        chance = self._random
        hinted = chance.random() < self._mix.hinted
        if choice.family == "nouns":
            return chance.choice(("head", "bare", "full", "long")) if hinted else "bare"
        if choice.family == "mentions":
            return chance.choice(("bare", "long", "long")) if hinted else "full"
        return "bare"

    def _worded(self, choice: _Choice, extent: Extent, found: Ranges, place: int) -> Asked:
        chance, concept = self._random, choice.concept
        name = chance.choice(concept.names)
        clause = (
            chance.choice(concept.descriptions)
            if isinstance(concept, Concept)
            else concept.description
        )
        clauses = [clause] if chance.random() < self._mix.described else []
        if isinstance(concept, MentionConcept):
            told = name in self._plain or bool(concept.types)
            if extent != "full":
                clauses = [*([clause] if told else clauses), hint(extent, chance)]
            elif told and chance.random() < 0.4:
                name = formed(name, chance)
            elif told:
                clauses = [clause]
        elif isinstance(concept, NounConcept) and (extent != "bare" or name in self._told):
            clauses = [*clauses, hint(extent, chance)]
        # The number keeps two questions that happen to share their words apart.
        name = styled(name, chance)
        return Label(f"{place}:{name}", name, described(*clauses)), found


def _choices() -> list[_Choice]:
    words = lexicon()
    everything: list[tuple[_Family, AnyConcept]] = [
        *(("names", concept) for concept in concepts()),
        *(("nouns", concept) for concept in words.concepts.values() if concept.names),
        *(("mentions", concept) for concept in words.mentions),
        *(("patterns", concept) for concept in patterns().values()),
    ]
    return [_Choice(number, family, item) for number, (family, item) in enumerate(everything)]
