"""The word lists of the source stage: nouns by concept, and the words that bound noun phrases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_VOWELS = "aeiou"
_HISSING = ("s", "x", "z", "ch", "sh")


@dataclass(frozen=True, slots=True)
class NounConcept:
    """Common nouns of one kind, to be asked for.

    Attributes:
        key: Identifies it.
        kind: The broad kind its nouns belong to, for example ``person``.
        names: Ways to say it in a question.
        description: A clause that defines it.
        nouns: Lower-case nouns in the singular.
        near: Concepts whose nouns might also be meant.
        types: Types of the source corpus whose names might also be meant.
    """

    key: str
    kind: str
    names: tuple[str, ...]
    description: str
    nouns: tuple[str, ...]
    near: frozenset[str]
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class MentionConcept:
    """A broad kind of thing, to be asked for however it is mentioned: by name, noun or pattern.

    Attributes:
        key: Identifies it.
        kinds: Kinds of the nouns it covers.
        types: Types of the source corpus it covers.
        patterns: Keys of the patterns it covers.
        near: Kinds whose nouns might also be meant.
        doubtful: Types of the source corpus whose names might also be meant.
        names: Ways to say it in a question.
        description: A clause that defines it.
    """

    key: str
    kinds: frozenset[str]
    types: frozenset[str]
    patterns: tuple[str, ...]
    near: frozenset[str]
    doubtful: frozenset[str]
    names: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What is known of English words.

    Attributes:
        concepts: The concepts by key.
        mentions: The broad kinds.
        nouns: For each form of a noun the keys of its concepts.
        doubts: For each form of an ambiguous noun the broad kinds it may belong to.
        articles: Determiners, quantifiers and numerals.
        possessives: Possessive determiners.
        modifiers: Adjectives.
        verbs: Forms of verbs that are not regular participles.
        blockers: Words after which the form of a verb is one: auxiliaries, pronouns, "to".
        modals: Auxiliaries after which nothing but a verb stands.
        edges: Closed-class words; a noun phrase begins after and ends before them.
    """

    concepts: Mapping[str, NounConcept]
    mentions: tuple[MentionConcept, ...]
    nouns: Mapping[str, tuple[str, ...]]
    doubts: Mapping[str, frozenset[str]]
    articles: frozenset[str]
    possessives: frozenset[str]
    modifiers: frozenset[str]
    verbs: frozenset[str]
    blockers: frozenset[str]
    modals: frozenset[str]
    edges: frozenset[str]

    def kinds(self, form: str) -> frozenset[str]:
        """The broad kinds that a form of a noun does or may belong to."""
        sure = {self.concepts[key].kind for key in self.nouns.get(form, ())}
        return frozenset(sure) | self.doubts.get(form, frozenset())

    def is_noun(self, form: str) -> bool:
        """Whether a lower-case word is a form of a listed noun."""
        return form in self.nouns or form in self.doubts


def plural(noun: str) -> str:
    """The regular plural of an English noun.

    >>> [plural(noun) for noun in ("dog", "church", "city", "day")]
    ['dogs', 'churches', 'cities', 'days']
    """
    if noun.endswith(_HISSING):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return f"{noun[:-1]}ies"
    return f"{noun}s"


@cache
def lexicon() -> Lexicon:
    """The word lists that ship with nerloop."""
    text = files("model.cllmfs").joinpath("source_words.json").read_text(encoding="utf-8")
    content = json.loads(text)
    irregular = dict(entry.split("/") for entry in content["irregular_plurals"].split())
    concepts = {item["key"]: _noun_concept(item) for item in content["concepts"]}
    nouns: dict[str, tuple[str, ...]] = {}
    for concept in concepts.values():
        for noun in concept.nouns:
            for form in dict.fromkeys((noun, irregular.get(noun, plural(noun)))):
                nouns[form] = (*nouns.get(form, ()), concept.key)
    doubts: dict[str, frozenset[str]] = {}
    for item in content["unsure"]:
        for noun in item["nouns"].split():
            for form in (noun, irregular.get(noun, plural(noun))):
                doubts[form] = doubts.get(form, frozenset()) | frozenset(item["kinds"].split())
    words = {name: frozenset(text.split()) for name, text in content["grammar"].items()}
    closed = words["prepositions"] | words["conjunctions"] | words["pronouns"]
    return Lexicon(
        concepts=concepts,
        mentions=tuple(_mention_concept(item) for item in content["mentions"]),
        nouns=nouns,
        doubts=doubts,
        articles=words["articles"] | words["quantifiers"] | words["numerals"],
        possessives=words["possessives"],
        modifiers=words["adjectives"],
        verbs=words["verbs"] | {plural(verb) for verb in words["verbs"]} | words["irregular"],
        blockers=words["pronouns"] | (words["auxiliaries"] - {"'s"}) | {"to"},
        modals=words["modals"],
        edges=closed | words["auxiliaries"] | words["adverbs"],
    )


def _noun_concept(item: dict[str, Any]) -> NounConcept:
    return NounConcept(
        item["key"],
        item["kind"],
        tuple(item["names"]),
        item["description"],
        tuple(item["nouns"].split()),
        frozenset(item["near"].split()),
        frozenset(item["types"].split()),
    )


def _mention_concept(item: dict[str, Any]) -> MentionConcept:
    return MentionConcept(
        item["key"],
        frozenset(item["kinds"].split()),
        frozenset(item["types"].split()),
        tuple(item["patterns"].split()),
        frozenset(item["near"].split()),
        frozenset(item["doubtful_types"].split()),
        tuple(item["names"]),
        item["description"],
    )
