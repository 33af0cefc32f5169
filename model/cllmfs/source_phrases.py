"""Noun phrases by rule: where the phrase of a listed noun begins and ends, and whether that is
sure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from model.cllmfs.source_lexicon import Lexicon
from model.spans import AnnotatedText

Extent = Literal["head", "bare", "full", "long"]
Range = tuple[int, int]

_ADJECTIVE = re.compile(
    r"^(?:[a-z]{2,}(?:al|ic|ous|ive|ful|less|ish|able|ible|ary|like|ese)|[a-z]+-[a-z-]+|"
    r"[a-z]{3,}(?:er|est)-[a-z]+|\d+(?:st|nd|rd|th)|\d+-[a-z-]+)$"
)
_PARTICIPLE = re.compile(r"^[a-z]{2,}(?:ed|ing)$")
_ADVERB = re.compile(r"^[a-z]{2,}ly$")
_YEAR = re.compile(r"^(?:1[0-9]|20)\d\d$")
_NUMBER = re.compile(r"^\d[\d.,]*$")
_CLOSING = frozenset(("the", "a", "an", "this", "these", "those"))
_BEFORE_THE = frozenset(("all", "both", "half", "such", "what"))
_AND = frozenset(("and", "or", "&", ","))


@dataclass(frozen=True, slots=True)
class Phrase:
    """A listed noun in a text; all ranges are half-open ranges of tokens.

    Attributes:
        noun: The noun as it stands in the text, in lower case.
        head: The noun alone.
        bare: With its modifiers, without determiners and numerals.
        full: With its determiners as well.
        long: With the phrase that follows after "of" as well; None where its end is unsure.
        titled: Where the name of a person ends that follows at once ("the painter Ann Lee"), or
            where the phrase ends.
        sure: Whether the word is surely a noun and the last word of its phrase.
        bounded: Whether the beginning of the phrase is sure.
    """

    noun: str
    head: Range
    bare: Range
    full: Range
    long: Range | None
    titled: int
    sure: bool
    bounded: bool

    def extent(self, extent: Extent) -> Range | None:
        """The range of an extent; None where it is unsure."""
        if not self.sure:
            return None
        if extent == "head":
            return self.head
        return getattr(self, extent) if self.bounded else None


class PhraseReader:
    """Reads the noun phrases of one tokenised text.

    Args:
        item: Tokens with one space between them; its spans are names.
        lexicon: The word lists.
    """

    def __init__(self, item: AnnotatedText, lexicon: Lexicon) -> None:
        self.tokens: tuple[str, ...] = tuple(item.text.split(" "))
        self.starts: list[int] = []
        position = 0
        for token in self.tokens:
            self.starts.append(position)
            position += len(token) + 1
        self._lexicon = lexicon
        self._names: dict[int, Range] = {}
        self._kinds: dict[int, str] = {}
        for span in item.spans:
            inside = [k for k, s in enumerate(self.starts) if span.start <= s < span.end]
            for k in inside:
                self._names[k] = (inside[0], inside[-1] + 1)
                self._kinds[k] = span.label.partition("-")[0]

    def characters(self, tokens: Range) -> Range:
        """The characters of a range of tokens."""
        first, last = tokens
        return self.starts[first], self.starts[last - 1] + len(self.tokens[last - 1])

    def phrases(self) -> list[Phrase]:
        """The phrases of all listed nouns outside names, in source order."""
        found: list[Phrase] = []
        for index in range(len(self.tokens)):
            form = self._form(index)
            if index not in self._names and self._lexicon.is_noun(form):
                phrase = self._phrase(index, form, found)
                if phrase is not None:
                    found.append(phrase)
        return found

    def has_unknown_noun(self) -> bool:
        """Whether a word that no list holds stands where a noun can stand."""
        for index in range(len(self.tokens)):
            form = self._form(index)
            if index in self._names or not form.isalpha() or self._known(form):
                continue
            before = self._form(index - 1) if index else "."
            if self._opens(before) or self._modifies(index - 1) or index - 1 in self._names:
                return True
        return False

    def _form(self, index: int) -> str:
        token = self.tokens[index]
        return token.lower() if index == 0 or self.tokens[index - 1] in '.:"' else token

    def _known(self, form: str) -> bool:
        words = self._lexicon
        listed = form in words.edges or form in words.articles or form in words.possessives
        listed = listed or form in words.verbs or form in words.modifiers or words.is_noun(form)
        return listed or any(
            rule.match(form) is not None for rule in (_ADJECTIVE, _PARTICIPLE, _ADVERB)
        )

    def _opens(self, form: str) -> bool:
        words = self._lexicon
        return form in words.articles or form in words.possessives or form in words.edges

    def _phrase(self, index: int, form: str, earlier: Sequence[Phrase]) -> Phrase | None:
        words, end = self._lexicon, index + 1
        before = self._form(index - 1) if index else "."
        if before in words.blockers and (form in words.verbs or before in words.modals):
            return None  # "they play", "may ram"
        follows = self._followed(end) if self._ends(end) else None
        bare, bounded = self._modified(index)
        full, certain = self._determined(bare, earlier)
        titled = end
        if self._kinds.get(end) == "person" and "person" in words.kinds(form):
            titled = self._names[end][1]
        ends = self._ends(titled)
        return Phrase(
            noun=form,
            head=(index, end),
            bare=(bare, end),
            full=(full, end),
            long=None if follows is None else (full, follows),
            titled=titled,
            sure=ends and self._nominal(index, form, before),
            bounded=bounded and certain,
        )

    def _nominal(self, index: int, form: str, before: str) -> bool:
        """Whether a form that may be a verb or a name is surely a noun here."""
        words = self._lexicon
        if form != self.tokens[index] and not form.endswith("s"):
            return False  # a capital at the beginning of a sentence may begin a name
        if before == "to" and not form.endswith("s"):
            return False  # "to ram a ship"
        opened = before in words.articles or before in words.possessives or before in ("'s", "of")
        return form not in words.verbs or opened or before in words.modifiers

    def _ends(self, index: int) -> bool:
        """Whether a noun phrase may end before this token, and cannot go on with it."""
        if index == len(self.tokens):
            return True
        form, words = self.tokens[index], self._lexicon
        if index in self._names or words.is_noun(form):
            return False
        if form in words.edges or form in words.articles or form in words.possessives:
            return True
        if form in words.verbs or _ADVERB.match(form) or self._is_participle(form):
            return form not in words.modifiers
        return not form[0].isalnum()

    def _is_participle(self, form: str) -> bool:
        """Whether a word is an "-ed" form, or the "-ing" form of a listed verb."""
        if not _PARTICIPLE.match(form):
            return False
        stem = form[:-3] if form.endswith("ing") else ""
        return not stem or any(
            verb in self._lexicon.verbs for verb in (stem, f"{stem}e", stem[:-1])
        )

    def _modifies(self, index: int) -> bool:
        if index < 0:
            return False
        form, words = self._form(index), self._lexicon
        if form in words.modifiers or words.is_noun(form) or _YEAR.match(form):
            return True
        if _ADJECTIVE.match(form):
            return True
        if _PARTICIPLE.match(form) or (form in words.verbs and form not in words.edges):
            before = self._form(index - 1) if index else "."
            opened = before in words.articles or before in words.possessives or before == "'s"
            return opened or before in words.modifiers
        return False

    def _modified(self, index: int) -> tuple[int, bool]:
        """Where the modifiers of a noun begin, and whether that is sure."""
        words, first = self._lexicon, index
        while first > 0:
            before = first - 1
            if before in self._names:
                if self._kinds[before] == "person":
                    return first, False
                first = self._names[before][0]
                continue
            if not self._modifies(before):
                break
            first -= 1
        if first == 0:
            return first, True
        form = self._form(first - 1)
        if form in _AND and first > 1:
            # "black and white dogs": the coordination may belong to the phrase
            joined = first < index and (self._modifies(first - 2) or first - 2 in self._names)
            return first, not joined
        if self._opens(form) or _NUMBER.match(form) or not form[0].isalnum():
            return first, True
        verbal = form in words.verbs or _PARTICIPLE.match(form) or _ADVERB.match(form)
        return first, bool(verbal)

    def _determined(self, first: int, earlier: Sequence[Phrase]) -> tuple[int, bool]:
        """Where the determiners before the modifiers begin, and whether that is sure."""
        words, closed = self._lexicon, False
        while first > 0:
            form = self._form(first - 1)
            if form == "that":
                return first, closed  # a determiner or a conjunction
            if form == "'s" and first > 1 and not closed:
                return self._owned(first - 1, earlier)
            determiner = form in words.articles or form in words.possessives
            if not (determiner or _NUMBER.match(form)) or (closed and form not in _BEFORE_THE):
                break
            closed = closed or form in _CLOSING or form in words.possessives
            first -= 1
        return first, True

    def _owned(self, mark: int, earlier: Sequence[Phrase]) -> tuple[int, bool]:
        if mark - 1 in self._names:
            first = self._names[mark - 1][0]
            article = first > 0 and self._form(first - 1) == "the"
            return first - article, True
        for phrase in earlier:
            if phrase.full[1] == mark:
                return phrase.full[0], phrase.bounded
        return mark, False

    def _followed(self, end: int) -> int | None:
        """Where the phrase ends with what follows after "of"; None where that is unsure."""
        if end >= len(self.tokens) or self.tokens[end] != "of":
            return end
        words, index = self._lexicon, end + 1
        while index < len(self.tokens) and (
            self.tokens[index] in words.articles or self.tokens[index] in words.possessives
        ):
            index += 1
        began = index
        while index < len(self.tokens):
            if index in self._names:
                index = self._names[index][1]
            elif self._modifies(index):
                index += 1
            else:
                break
        nominal = index > began and (
            index - 1 in self._names or words.is_noun(self.tokens[index - 1])
        )
        if not nominal or not self._ends(index):
            return None
        if index < len(self.tokens) and self.tokens[index] in (*_AND, "'s"):
            return None
        return self._followed(index)
