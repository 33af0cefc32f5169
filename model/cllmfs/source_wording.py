"""The words of a question: the writing style of a name, and hints at how long mentions are."""

from __future__ import annotations

import random

from model.cllmfs.source_lexicon import lexicon, plural
from model.cllmfs.source_phrases import Extent

_HINTS: dict[Extent, tuple[str, ...]] = {
    "head": (
        "the noun alone",
        "only the noun itself, one word each",
        "single words, without adjectives",
        "the head noun only",
    ),
    "bare": (
        "nouns with their adjectives, without article",
        "the noun and its modifiers, no articles or numbers",
        "without the, a or his",
        "noun with modifiers",
    ),
    "full": (
        "whole noun phrases",
        "complete phrases, with article and adjectives",
        "the full noun phrase with its article",
        "whole phrases with articles",
    ),
    "long": (
        "the longest phrase, with what follows after of",
        "whole phrases, including an of-phrase",
        "complete noun phrases up to their last word, of-phrases included",
    ),
}
_FORMS = ("mention of {}", "{} mention", "{} (any mention)", "any mention of {}")


def hint(extent: Extent, chance: random.Random) -> str:
    """A clause that says how much of a noun phrase a mention takes."""
    return chance.choice(_HINTS[extent])


def formed(name: str, chance: random.Random) -> str:
    """A name that says by itself that whole phrases are meant, not names alone."""
    return chance.choice(_FORMS).format(name)


def described(*clauses: str) -> str:
    """Clauses as one description."""
    return "; ".join(clause for clause in clauses if clause)


def styled(name: str, chance: random.Random) -> str:
    """The name in one of the writing styles that people use for labels.

    Two in three stay as they are; the others become plural, capitalised, ``UPPER_CASE``,
    ``snake_case``, ``kebab-case`` or ``CamelCase``. A name with capitals stays as it is.
    """
    draw = chance.random()
    simple = all(part.isalpha() for part in name.split(" ")) and len(name.split(" ")) <= 3
    if draw < 0.66 or name != name.lower():
        return name
    if draw < 0.80:
        return name[0].upper() + name[1:]
    if not simple:
        return name
    words = name.split(" ")
    if draw < 0.87:
        several = plural(words[-1])
        countable = several in lexicon().nouns and not {"of", "or"} & set(words)
        return " ".join([*words[:-1], several]) if countable else name
    if draw < 0.91:
        return "_".join(words).upper()
    if draw < 0.95:
        return "_".join(words)
    if draw < 0.97:
        return "-".join(words)
    return "".join(word.capitalize() for word in words)
