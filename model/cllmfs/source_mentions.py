"""What a text answers to a question: names, noun phrases, patterns, or that it is unsure."""

from __future__ import annotations

from functools import cached_property

from model.cllmfs.source_concepts import Concept, is_of
from model.cllmfs.source_lexicon import Lexicon, MentionConcept, NounConcept
from model.cllmfs.source_patterns import PatternConcept, patterns
from model.cllmfs.source_phrases import Extent, Phrase, PhraseReader
from model.spans import AnnotatedText

Ranges = list[tuple[int, int]]

_OPEN_KINDS = frozenset(
    ("abstract", "activity", "event", "object", "substance", "work", "document")
)


class TextReading:
    """The answers of one text; ranges are half-open ranges of its characters.

    Every answer is None where the rules cannot give it with some certainty: the question is then
    left out.

    Args:
        item: Tokens with one space between them; its spans are names of the source types.
        lexicon: The word lists.
        whole: Whether every name in the text is annotated.
    """

    def __init__(self, item: AnnotatedText, lexicon: Lexicon, *, whole: bool) -> None:
        self.item = item
        self.whole = whole
        self._lexicon = lexicon
        self._reader = PhraseReader(item, lexicon)

    @cached_property
    def phrases(self) -> list[Phrase]:
        """The noun phrases of the text."""
        return self._reader.phrases()

    @cached_property
    def known(self) -> bool:
        """Whether every noun of the text stands in the word lists."""
        return not self._reader.has_unknown_noun()

    @cached_property
    def name_ranges(self) -> frozenset[tuple[int, int]]:
        """The ranges of all annotated names."""
        return frozenset((span.start, span.end) for span in self.item.spans)

    def names(self, concept: Concept) -> Ranges | None:
        """The names of a concept of the source corpus."""
        if concept.broad and not self.whole:
            return None
        return [(s.start, s.end) for s in self.item.spans if concept.covers(s.label)]

    def nouns(self, concept: NounConcept, extent: Extent) -> Ranges | None:
        """The mentions of a common-noun concept, in one extent.

        Unsure where a word of a near concept or an ambiguous word stands in the text, or a name
        that might be meant; for kinds of things without number also where an unknown noun does.
        """
        if concept.kind in _OPEN_KINDS and not self.known:
            return None
        if any(is_of(span.label, concept.types) for span in self.item.spans):
            return None
        found: Ranges = []
        for phrase in self.phrases:
            keys = self._lexicon.nouns.get(phrase.noun, ())
            if concept.key in keys and len(keys) == 1 and phrase.noun not in self._lexicon.doubts:
                tokens = phrase.extent(extent)
                if tokens is None:
                    return None
                found.append(self._reader.characters(tokens))
            elif self._might_be(phrase, concept):
                return None
        return outermost(found)

    def mentions(self, concept: MentionConcept, extent: Extent) -> Ranges | None:
        """All mentions of a broad kind: names, noun phrases and patterns.

        Unsure where a noun of the text is in no list, or a word or a name might be meant.
        """
        if not (self.whole and self.known):
            return None
        found: Ranges = []
        for span in self.item.spans:
            if is_of(span.label, concept.types):
                found.append((span.start, span.end))
            elif is_of(span.label, concept.doubtful):
                return None
        for phrase in self.phrases:
            kinds = self._lexicon.kinds(phrase.noun)
            if kinds and kinds <= concept.kinds:
                tokens = phrase.extent(extent)
                if tokens is None:
                    return None
                end = phrase.titled if phrase.titled > tokens[1] else tokens[1]
                found.append(self._reader.characters((tokens[0], end)))
            elif kinds & (concept.kinds | concept.near):
                return None
        for key in concept.patterns:
            matched = patterns()[key].ranges(self.item.text)
            if matched is None:
                return None
            found += matched
        return outermost(found)

    def matches(self, concept: PatternConcept) -> Ranges | None:
        """The expressions of a pattern."""
        return concept.ranges(self.item.text)

    def _might_be(self, phrase: Phrase, concept: NounConcept) -> bool:
        keys = self._lexicon.nouns.get(phrase.noun, ())
        doubtful = concept.kind in self._lexicon.doubts.get(phrase.noun, frozenset())
        return doubtful or concept.key in keys or not concept.near.isdisjoint(keys)


def outermost(ranges: Ranges) -> Ranges:
    """The ranges that lie in no other one, in source order; of two that cross the first is kept."""
    kept: Ranges = []
    for first, last in sorted(set(ranges), key=lambda item: (item[0], -item[1])):
        if not kept or first >= kept[-1][1]:
            kept.append((first, last))
    return kept
