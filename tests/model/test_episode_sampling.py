"""Sampled episodes: their rules, what ends a search, and the file they are kept in."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from model.data.episode_files import (
    EpisodeFileError,
    StoredEpisodes,
    intra_source,
    intra_types,
    read_episodes,
    split_types,
)
from model.data.episode_sampling import (
    Episode,
    EpisodeError,
    EpisodeShape,
    only_of,
    sample_episodes,
)
from model.spans import AnnotatedText, Span

TYPES = ("PER", "LOC", "ORG", "ART")


def text(number: int, *labels: str) -> AnnotatedText:
    """A text of its own with one mention of each label."""
    words = " ".join(f"{label.lower()}{number}" for label in labels) or f"quiet{number}"
    spans, end = [], 0
    for label in labels:
        start = end
        end = start + len(f"{label.lower()}{number}")
        spans.append(Span(start, end, label))
        end += 1
    return AnnotatedText(words, tuple(spans))


def pool() -> list[AnnotatedText]:
    """Sentences with one, two and many mentions, some quiet ones, and every one of them twice."""
    single = [text(n, TYPES[n % 4]) for n in range(24)]
    pairs = [text(100 + n, TYPES[n % 4], TYPES[(n + 1) % 4]) for n in range(12)]
    many = [text(200 + n, *[TYPES[n % 4]] * 5) for n in range(4)]
    return [*single, *pairs, *many, text(300), *single, *pairs]


def mentions(items: list[AnnotatedText], places: tuple[int, ...]) -> Counter[str]:
    return Counter(span.label for place in places for span in items[place].spans)


@pytest.mark.parametrize(("shots", "queries"), [(1, 1), (2, 1), (2, 3)])
def test_every_type_has_k_to_2k_mentions_and_nothing_else_occurs(shots: int, queries: int) -> None:
    items = pool()
    for own in sample_episodes(items, TYPES, EpisodeShape(3, shots, queries, 7), 40):
        assert len(own.types) == 3
        assert list(own.types) == [name for name in TYPES if name in own.types]
        for places, wanted in ((own.support, shots), (own.query, queries)):
            counts = mentions(items, places)
            assert set(counts) == set(own.types)
            assert all(wanted <= number <= 2 * wanted for number in counts.values())
        support, query = ([items[place].text for place in p] for p in (own.support, own.query))
        assert len({*support, *query}) == len(support) + len(query)  # repeats were left out


def test_a_seed_names_the_same_episodes_and_fewer_are_the_beginning_of_more() -> None:
    items, shape = pool(), EpisodeShape(2, 1, 1, 3)
    many = sample_episodes(items, TYPES, shape, 12)
    assert sample_episodes(items, TYPES, shape, 5) == many[:5]
    assert sample_episodes(items, TYPES, EpisodeShape(2, 1, 1, 4), 12) != many
    assert len({own.types for own in many}) > 1


def test_a_sentence_that_would_bring_a_type_above_twice_its_shots_is_passed_by() -> None:
    """With K = 1 at most 2 mentions of a type: the sentence with 3 can never be taken.

    A first, B first or the pair first: {A, B} needs A and B once; "aab" brings A to 2, allowed;
    "aaab" brings A to 3, refused.
    """
    items = [text(1, "A", "A", "A", "B"), text(2, "A", "A", "B"), text(3, "A"), text(4, "B")]
    for seed in range(20):
        (own,) = sample_episodes(items, ("A", "B"), EpisodeShape(2, 1, 1, seed), 1)
        assert 0 not in (*own.support, *own.query)


def test_types_without_enough_sentences_are_drawn_anew() -> None:
    """Of A, B and C only A and B fill support and query; C has a single sentence."""
    items = [text(n, "A") for n in range(2)] + [text(10 + n, "B") for n in range(2)]
    items.append(text(20, "C"))
    found = sample_episodes(items, ("A", "B", "C"), EpisodeShape(2, 1, 1, 0), 6)
    assert {own.types for own in found} == {("A", "B")}


def test_files_that_are_too_small_end_the_search() -> None:
    items = [text(1, "A"), text(2, "B")]
    with pytest.raises(EpisodeError, match="too small"):
        sample_episodes(items, ("A", "B"), EpisodeShape(2, 1, 1, 0), 1)
    with pytest.raises(EpisodeError, match="only 2 are there: A, B"):
        sample_episodes(items, ("A", "B"), EpisodeShape(3, 1, 1, 0), 1)
    with pytest.raises(EpisodeError, match="at least one"):
        EpisodeShape(1, 0, 1, 0)


def test_sentences_of_some_types_alone() -> None:
    items = [text(1, "A"), text(2, "A", "B"), text(3), text(4, "C")]
    assert only_of(items, {"A", "B"}) == [0, 1]
    assert only_of(items, {"A"}) == [0]


def test_stored_episodes_come_back_and_others_are_refused(tmp_path: Path) -> None:
    shape = EpisodeShape(2, 1, 1, 5)
    episodes = (Episode(("A", "B"), (3, 1), (2,)), Episode(("B", "C"), (0,), (7, 9)))
    stored = StoredEpisodes("corpus/test.conll", "d" * 64, "inter", shape, episodes)
    path = tmp_path / "sub" / "episodes.json"
    stored.write(path)
    assert read_episodes(path) == stored
    assert len(path.read_text().splitlines()) < 20  # one line an episode
    stored.require("d" * 64, "inter", shape, 1)
    with pytest.raises(EpisodeFileError, match="another file"):
        stored.require("e" * 64, "inter", shape, 2)
    with pytest.raises(EpisodeFileError, match="shots 5, there 1"):
        stored.require("d" * 64, "inter", EpisodeShape(2, 5, 1, 5), 2)
    with pytest.raises(EpisodeFileError, match="3 episodes, there 2"):
        stored.require("d" * 64, "inter", shape, 3)
    path.write_text('{"episodes": []}')
    with pytest.raises(EpisodeFileError, match="no sampled episodes"):
        read_episodes(path)


def test_types_of_a_split_are_those_of_its_list_that_the_file_has(tmp_path: Path) -> None:
    lists = {"intra": {"train": ["ART"], "dev": ["ORG"], "test": ["LOC", "PER", "GONE"]}}
    splits = tmp_path / "type_splits.json"
    splits.write_text(json.dumps(lists))
    items = [text(1, "PER"), text(2, "LOC", "ART"), text(3, "ORG")]
    names = ("ART", "LOC", "ORG", "PER", "UNUSED")
    assert split_types(items, names, "inter", splits) == ("ART", "LOC", "ORG", "PER")
    assert split_types(items, names, "intra-like", splits) == ("LOC", "PER")
    assert split_types(items, names, "intra-like-dev", splits) == ("ORG",)
    assert intra_types(splits, "train") == {"ART"}
    assert intra_source([*items, text(4, "ART"), text(5)], splits) == [text(4, "ART")]
    with pytest.raises(EpisodeFileError, match="'other'"):
        split_types(items, names, "other", splits)
    with pytest.raises(EpisodeFileError, match=r"gone\.json"):
        split_types(items, names, "intra-like", tmp_path / "gone.json")
