from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.source_lexicon import lexicon, plural
from model.cllmfs.source_phrases import PhraseReader
from model.spans import AnnotatedText, Span


def reader(text: str, *names: tuple[str, str]) -> PhraseReader:
    spans = tuple(Span(text.index(n), text.index(n) + len(n), label) for n, label in names)
    return PhraseReader(AnnotatedText(text, spans), lexicon())


def extents(text: str, noun: str, *names: tuple[str, str]) -> list[str | None]:
    """The phrase of a noun as head, bare, full and long; None where it is unsure."""
    read = reader(text, *names)
    (phrase,) = [p for p in read.phrases() if p.noun == noun]
    found = []
    for extent in ("head", "bare", "full", "long"):
        tokens = phrase.extent(extent)
        found.append(None if tokens is None else text[slice(*read.characters(tokens))])
    return found


@pytest.mark.parametrize(
    ("text", "noun", "expected"),
    [
        ("They met the old teacher .", "teacher", ["teacher", "old teacher", "the old teacher"]),
        ("She saw two grey wolves .", "wolves", ["wolves", "grey wolves", "two grey wolves"]),
        ("We like all the small dogs .", "dogs", ["dogs", "small dogs", "all the small dogs"]),
        ("He is a film director .", "director", ["director", "film director", "a film director"]),
        ("It hit my left hand .", "hand", ["hand", "left hand", "my left hand"]),
        ("Rain fell on the wounded soldiers .", "soldiers", ["soldiers", "wounded soldiers"]),
    ],
)
def test_a_phrase_takes_its_modifiers_and_its_determiners(
    text: str, noun: str, expected: list[str]
) -> None:
    found = extents(text, noun)
    if len(expected) == 2:
        expected = [*expected, "the wounded soldiers"]
    assert found == [*expected, expected[-1]]


def test_the_long_phrase_takes_what_follows_after_of() -> None:
    assert extents("I know the king of the small island .", "king") == [
        "king",
        "king",
        "the king",
        "the king of the small island",
    ]
    found = extents("I know the king of Spain .", "king", ("Spain", "location-GPE"))
    assert found[2:] == ["the king", "the king of Spain"]
    # What is joined by "and" may belong to either noun.
    assert extents("I know the king of the island and the sea .", "king")[3] is None


def test_a_name_modifies_and_possesses() -> None:
    found = extents("We met the Norwegian actor .", "actor", ("Norwegian", "location-GPE"))
    assert found[1:3] == ["Norwegian actor", "the Norwegian actor"]
    found = extents("We met Joan Reed 's brother .", "brother", ("Joan Reed", "person-other"))
    assert found[:3] == ["brother", "brother", "Joan Reed 's brother"]


def test_the_name_of_a_person_after_a_title_is_known() -> None:
    read = reader("Then the painter Ann Lee left .", ("Ann Lee", "person-artist/author"))
    (phrase,) = read.phrases()
    assert read.tokens[phrase.full[0] : phrase.full[1]] == ("the", "painter")
    assert read.tokens[phrase.full[0] : phrase.titled] == ("the", "painter", "Ann", "Lee")


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("They like driver trousersish things .", "driver"),  # an unknown word may go on
        ("They talked to management .", "management"),
        ("The boat engine stopped .", "boat"),
        ("Singer and poet lived there .", "singer"),  # may begin a name
    ],
)
def test_a_doubtful_noun_is_not_sure(text: str, noun: str) -> None:
    assert extents(text, noun) == [None, None, None, None]


def test_a_verb_after_a_pronoun_is_no_noun() -> None:
    assert reader("They play and we attack them .").phrases() == []


def test_two_adjectives_joined_by_and_leave_the_beginning_unsure() -> None:
    assert extents("She likes black and white dogs .", "dogs") == ["dogs", None, None, None]


def test_an_unknown_noun_is_noticed() -> None:
    assert reader("He bought the frobnicator .").has_unknown_noun()
    assert not reader("He bought the old house .").has_unknown_noun()
    assert not reader("He met the Frobnicator .", ("Frobnicator", "x-y")).has_unknown_noun()


@given(
    st.lists(
        st.sampled_from(
            ["the", "old", "king", "of", "Oslo", "'s", "two", "dogs", "and", ",", "zorp", "to"]
        ),
        min_size=1,
        max_size=14,
    )
)
def test_every_extent_holds_the_shorter_one(tokens: list[str]) -> None:
    text = " ".join(tokens)
    starts = [k for k in range(len(text)) if text.startswith("Oslo", k)]
    spans = tuple(Span(k, k + 4, "location-GPE") for k in starts)
    for phrase in PhraseReader(AnnotatedText(text, spans), lexicon()).phrases():
        assert tokens[phrase.head[0]] == phrase.noun
        assert phrase.full[0] <= phrase.bare[0] <= phrase.head[0] < phrase.head[1]
        assert phrase.bare[1] == phrase.full[1] == phrase.head[1] <= phrase.titled
        if phrase.long is not None:
            assert phrase.long[0] == phrase.full[0]
            assert phrase.head[1] <= phrase.long[1] <= len(tokens)


@pytest.mark.parametrize(
    ("noun", "expected"), [("dog", "dogs"), ("church", "churches"), ("city", "cities")]
)
def test_plurals(noun: str, expected: str) -> None:
    assert plural(noun) == expected
    assert lexicon().nouns[noun] == lexicon().nouns[expected]


def test_the_word_lists_are_sound() -> None:
    words = lexicon()
    for concept in words.concepts.values():
        assert len(concept.nouns) >= 8
        assert all(noun == noun.lower() and " " not in noun for noun in concept.nouns)
        assert concept.near <= set(words.concepts)
        assert concept.description
    kinds = {concept.kind for concept in words.concepts.values()}
    for mention in words.mentions:
        assert mention.kinds <= kinds
        assert not mention.kinds & mention.near
    assert words.nouns["wolves"] == ("animal",)
    assert "person" in words.kinds("teachers")
