from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from model.cllmfs.source_chat import ChatWriter, chat_texts
from model.cllmfs.source_concepts import concepts, is_of
from model.cllmfs.source_lexicon import lexicon
from model.cllmfs.source_mentions import TextReading, outermost
from model.cllmfs.source_patterns import patterns
from model.cllmfs.source_wording import formed, hint, styled
from model.data.conll import read_conll
from model.spans import AnnotatedText, Span


def reading(text: str, *names: tuple[str, str], whole: bool = True) -> TextReading:
    spans = tuple(Span(text.index(n), text.index(n) + len(n), label) for n, label in names)
    return TextReading(AnnotatedText(text, spans), lexicon(), whole=whole)


def cut(text: str, ranges: list[tuple[int, int]] | None) -> list[str] | None:
    return None if ranges is None else [text[first:last] for first, last in ranges]


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("date", "Born on 12 May 1990 in Oslo .", ["12 May 1990"]),
        ("date", "Born on May 12 , 1990 , in Oslo .", ["May 12 , 1990"]),
        ("date", "She left in 1990 and returned in June .", ["1990", "June"]),
        ("date", "It was built in the 1960s .", ["the 1960s"]),
        ("date", "The 1512 sheep slept .", None),
        ("date", "Nobody came .", []),
        ("money", "It cost $ 3 million or 40 dollars .", ["$ 3 million", "40 dollars"]),
        ("percentage", "About 40 percent and 12.5 % agreed .", ["40 percent", "12.5 %"]),
        ("duration", "It took three years and 20 minutes .", ["three years", "20 minutes"]),
        ("duration", "It took years .", None),
        ("measure", "A wall of 3,000 metres .", ["3,000 metres"]),
        ("clock", "We met at 7:30 p.m. in town .", ["7:30 p.m."]),
        ("money", "It made $ 3m in all .", None),
        ("percentage", "A % is a sign .", None),
        ("number", "The 15th of 12 rooms .", None),
        ("number", "Rooms 12 and 40 .", ["12", "40"]),
    ],
)
def test_patterns(key: str, text: str, expected: list[str] | None) -> None:
    assert cut(text, patterns()[key].ranges(text)) == expected


def test_a_kind_is_mentioned_by_name_noun_and_pattern() -> None:
    person, place, *_ = lexicon().mentions
    text = "Ann Lee met the old teacher in the capital of Norway ."
    read = reading(text, ("Ann Lee", "person-politician"), ("Norway", "location-GPE"))
    assert cut(text, read.mentions(person, "full")) == ["Ann Lee", "the old teacher"]
    assert cut(text, read.mentions(person, "bare")) == ["Ann Lee", "old teacher"]
    assert cut(text, read.mentions(place, "full")) == ["the capital", "Norway"]
    assert cut(text, read.mentions(place, "long")) == ["the capital of Norway"]


def test_a_kind_is_not_asked_where_a_noun_is_unknown_or_a_name_left_over() -> None:
    person = lexicon().mentions[0]
    text = "She met the zorp and the teacher ."
    assert reading(text).mentions(person, "full") is None
    assert reading(text.replace("zorp", "king")).mentions(person, "full")
    assert reading("She met the king .", whole=False).mentions(person, "full") is None


def test_a_noun_concept_is_left_out_where_a_near_word_stands() -> None:
    animal = lexicon().concepts["animal"]
    assert cut("We saw the dog .", reading("We saw the dog .").nouns(animal, "head")) == ["dog"]
    assert reading("We saw a house .").nouns(animal, "head") == []
    assert reading("We ate the soup .").nouns(animal, "head") is None  # food may be animals
    assert reading("We saw the butterfly .").nouns(animal, "head") is None


def test_one_question_keeps_one_convention() -> None:
    people = lexicon().concepts["relative"]
    text = "The father , her old aunt and two brothers came ."
    read = reading(text)
    assert cut(text, read.nouns(people, "head")) == ["father", "aunt", "brothers"]
    assert cut(text, read.nouns(people, "bare")) == ["father", "old aunt", "brothers"]
    assert cut(text, read.nouns(people, "full")) == ["The father", "her old aunt", "two brothers"]


def test_of_ranges_that_overlap_the_outer_one_is_kept() -> None:
    assert outermost([(5, 9), (0, 9), (0, 4), (12, 15), (12, 15)]) == [(0, 9), (12, 15)]


def test_chat_texts_carry_the_types_of_their_names() -> None:
    corpus = [
        AnnotatedText("Joan Reed left Oslo", (Span(0, 9, "person-soldier"),)),
        AnnotatedText("Joan Reed left Oslo", (Span(15, 19, "location-GPE"),)),
    ]
    writer, chance = ChatWriter(corpus), random.Random(1)
    texts = [writer.write(chance) for _ in range(200)]
    found = {
        (text.text[span.start : span.end], span.label) for text in texts for span in text.spans
    }
    assert found == {
        ("Joan Reed", "person-soldier"),
        ("Joan", "person-soldier"),
        ("Oslo", "location-GPE"),
    }
    assert not any("{" in text.text for text in texts)
    assert any(not text.spans for text in texts)


def test_names_are_styled_like_labels() -> None:
    chance = random.Random(4)
    styles = {styled("football club", chance) for _ in range(400)}
    assert styles == {
        *("football club", "Football club", "football clubs"),
        *("FOOTBALL_CLUB", "football_club", "football-club", "FootballClub"),
    }
    assert {styled("PER", chance) for _ in range(50)} == {"PER"}
    assert {styled("work of art, or title", chance) for _ in range(99)} == {
        "work of art, or title",
        "Work of art, or title",
    }


def test_hints_tell_the_extents_apart() -> None:
    chance = random.Random(2)
    hints = {
        extent: {hint(extent, chance) for _ in range(60)}
        for extent in ("head", "bare", "full", "long")
    }
    everything = [clause for clauses in hints.values() for clause in clauses]
    assert len(everything) == len(set(everything))
    assert all("of" in clause.replace("-", " ").split() for clause in hints["long"])
    assert "person" in formed("person", chance)


def test_every_type_of_the_questions_exists_in_the_corpus() -> None:
    folder = os.environ.get("NERLOOP_DATA")
    train = Path(folder or "/nonexistent") / "fewnerd_inter" / "train.conll"
    if not train.is_file():
        pytest.skip("fewnerd_inter/train.conll is not there; set NERLOOP_DATA")
    present = {span.label for item in read_conll(train) for span in item.spans}
    asked = [concept.types for concept in concepts()]
    asked += [concept.types for concept in lexicon().concepts.values()]
    asked += [kind.types | kind.doubtful for kind in lexicon().mentions]
    asked += list(chat_texts().slots.values())
    for types in asked:
        for name in types:
            assert any(is_of(label, frozenset((name,))) for label in present), name
