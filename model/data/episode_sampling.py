"""N-way K~2K-shot episodes of a labelled file, sampled once and told as places in that file."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from model.errors import NerLoopError
from model.spans import AnnotatedText

TRIES = 10
"""Orders of the candidates that are gone through before other types are drawn."""

REDRAWS = 1000
"""Draws of types for one episode before the file counts as too small."""


class EpisodeError(NerLoopError):
    """No such episodes can be sampled from this file."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One support set and the sentences it is asked about.

    Attributes:
        types: Names of the labels asked, in the order of the file's labels.
        support: Places in the file, in the order they were drawn.
        query: The same of the sentences that are scored; none of them is in ``support``.
    """

    types: tuple[str, ...]
    support: tuple[int, ...]
    query: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EpisodeShape:
    """How large episodes are, and their seed.

    Attributes:
        ways: Types of an episode.
        shots: Mentions of each type in the support set: at least so many, at most twice as many.
        queries: The same of the query set.
        seed: Seeds types and sentences.

    Raises:
        EpisodeError: If a number is below one.
    """

    ways: int
    shots: int
    queries: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.ways, self.shots, self.queries) < 1:
            raise EpisodeError("Ways, shots and queries must be at least one.")


def sample_episodes(
    items: Sequence[AnnotatedText], types: Sequence[str], shape: EpisodeShape, number: int
) -> list[Episode]:
    """Sample episodes as Few-NERD does (Ding et al., ACL 2021, section 4.2).

    N types are drawn; candidates are sentences with mentions of these types alone. They are gone
    through in random order, and one is taken if it brings no type above 2K mentions and has a type
    that still lacks some; the set is whole when no type lacks any. A sentence that was refused
    would be refused later too, for the counts only grow: one pass finds what endless drawing would.
    A pass that ends too early is tried in other orders, then with other types. Of repeated
    sentences the first counts, so none is in support and query at once.

    Fewer episodes of the same shape are the beginning of more.

    Args:
        items: All sentences of a file.
        types: Names of the labels to draw from.
        shape: Ways, shots, queries and seed.
        number: How many.

    Raises:
        EpisodeError: If there are too few types, or the file is too small for them.
    """
    if shape.ways > len(types):
        raise EpisodeError(
            f"Episodes of {shape.ways} types are asked, but only {len(types)} are there: "
            f"{', '.join(types) or 'none'}."
        )
    draw = random.Random(shape.seed)
    own = _mentions(items, types)
    return [_episode(own, types, shape, draw) for _ in range(number)]


def only_of(items: Sequence[AnnotatedText], types: Collection[str]) -> list[int]:
    """Places of the items that have a span, and none of another label than these."""
    return [
        place
        for place, item in enumerate(items)
        if item.spans and all(span.label in types for span in item.spans)
    ]


def _mentions(items: Sequence[AnnotatedText], types: Sequence[str]) -> dict[int, Counter[str]]:
    known: set[str] = set()
    usable = set(only_of(items, set(types)))
    own = {}
    for place, item in enumerate(items):
        if item.text not in known and place in usable:
            own[place] = Counter(span.label for span in item.spans)
        known.add(item.text)
    return own


def _episode(
    own: Mapping[int, Counter[str]], types: Sequence[str], shape: EpisodeShape, draw: random.Random
) -> Episode:
    for _ in range(REDRAWS):
        places = sorted(_mixed(range(len(types)), draw)[: shape.ways])
        chosen = tuple(types[place] for place in places)
        wanted = set(chosen)
        candidates = [place for place, counts in own.items() if counts.keys() <= wanted]
        for _ in range(TRIES):
            support = _filled(candidates, own, chosen, shape.shots, draw)
            left = [place for place in candidates if place not in support]
            query = _filled(left, own, chosen, shape.queries, draw) if support else ()
            if query:
                return Episode(chosen, support, query)
    raise EpisodeError(
        f"No episode of {shape.ways} types with {shape.shots} and {shape.queries} mentions each "
        f"was found in {REDRAWS} draws of types: the file is too small for it."
    )


def _filled(
    candidates: Sequence[int],
    own: Mapping[int, Counter[str]],
    types: Sequence[str],
    shots: int,
    draw: random.Random,
) -> tuple[int, ...]:
    """Places that give every type its mentions; none if the candidates do not."""
    counts: Counter[str] = Counter()
    taken: list[int] = []
    for place in _mixed(candidates, draw):
        too_many = any(counts[name] + more > 2 * shots for name, more in own[place].items())
        if too_many or all(counts[name] >= shots for name in own[place]):
            continue
        taken.append(place)
        counts += own[place]
        if all(counts[name] >= shots for name in types):
            return tuple(taken)
    return ()


def _mixed(places: Sequence[int], draw: random.Random) -> list[int]:
    # only random() itself is promised to be the same for every version of Python
    numbers = [(draw.random(), place) for place in places]
    return [place for _, place in sorted(numbers)]
