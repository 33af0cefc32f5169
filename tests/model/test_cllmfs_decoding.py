from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from tokenizers import Tokenizer

from answer_paths import follow, spread, window
from model.cllmfs.copy_source import CopySource
from model.cllmfs.decoding import SpanCopy
from model.cllmfs.examples import mentions_of
from model.cllmfs.prompt import PromptEncoder
from model.spans import Span

TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab .,-<>\n\r'\u0301\u200d\u4e2d\U0001f468\ud800"),
        st.characters(),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def encoder(tiny_base: Path) -> PromptEncoder:
    return PromptEncoder(Tokenizer.from_file(str(tiny_base / "tokenizer.json")))


def test_a_mention_is_copied_with_its_confidence(encoder: PromptEncoder) -> None:
    """Every choice is even, so the confidence is the geometric mean of 1 / options."""
    text = window(encoder, "Ben met Anna")
    automaton = SpanCopy(text, encoder)
    chances = []
    for token in (*encoder.open, *text.word_ids(2), *encoder.close):
        options = automaton.options()
        if len(options) > 1:
            chances.append(1 / len(options))
        automaton.take(token, spread(options))
    (mention,) = automaton.mentions
    assert (mention.first, mention.last) == (2, 3)
    assert mention.confidence == pytest.approx(math.prod(chances) ** (1 / len(chances)))
    # "Anna" is the last word: nothing is left to open, so only the end may follow.
    follow(automaton, encoder.end)
    assert automaton.done


def test_none_ends_the_answer_and_gives_the_absence(encoder: PromptEncoder) -> None:
    automaton = SpanCopy(window(encoder, "Ben"), encoder)
    automaton.take(encoder.none[0], math.log(0.75))
    follow(automaton, (*encoder.none[1:], *encoder.end))
    assert automaton.done
    assert automaton.mentions == []
    assert automaton.absence == pytest.approx(0.75)


def test_without_words_only_none_is_possible(encoder: PromptEncoder) -> None:
    automaton = SpanCopy(window(encoder, " \n "), encoder)
    assert automaton.options() == encoder.none[:1]
    follow(automaton, (*encoder.none, *encoder.end))
    assert automaton.done
    assert automaton.absence == 1.0


def test_of_equal_strings_the_first_unused_one_is_meant(encoder: PromptEncoder) -> None:
    text = window(encoder, "Ben or Ben or Ben")
    automaton = SpanCopy(text, encoder)
    for _ in range(2):
        follow(automaton, (*encoder.open, *text.word_ids(0), *encoder.close))
    assert [(m.first, m.last) for m in automaton.mentions] == [(0, 1), (2, 3)]


def test_the_continuation_decides_between_equal_beginnings(encoder: PromptEncoder) -> None:
    text = window(encoder, "New Delhi and New York")
    automaton = SpanCopy(text, encoder)
    follow(automaton, (*encoder.open, *text.word_ids(3), *text.word_ids(4), *encoder.close))
    assert [(m.first, m.last) for m in automaton.mentions] == [(3, 5)]


def test_a_word_is_used_at_most_once(encoder: PromptEncoder) -> None:
    text = window(encoder, "Ben Anna")
    automaton = SpanCopy(text, encoder)
    follow(automaton, (*encoder.open, *text.word_ids(0), *text.word_ids(1), *encoder.close))
    assert automaton.options() == encoder.end[:1]


def test_a_token_that_may_not_follow_is_refused(encoder: PromptEncoder) -> None:
    automaton = SpanCopy(window(encoder, "Ben"), encoder)
    with pytest.raises(ValueError, match="may not follow"):
        automaton.take(encoder.close[0])


def test_an_opened_mention_leaves_the_rest_of_the_chance_to_absence(
    encoder: PromptEncoder,
) -> None:
    """At the start there are two choices: a mention with 0.75, so ``none`` with 0.25."""
    automaton = SpanCopy(window(encoder, "Ben met Anna"), encoder)
    assert automaton.starting
    automaton.take(encoder.open[0], math.log(0.75))
    assert not automaton.starting
    assert automaton.absence == pytest.approx(0.25)


def test_the_answers_of_one_window_share_its_tables_and_nothing_else(
    encoder: PromptEncoder,
) -> None:
    text = window(encoder, "Ben met Anna and Ben")
    source = CopySource(text, encoder)
    one, other = (SpanCopy(text, encoder, source=source) for _ in range(2))
    follow(one, (*encoder.open, *text.word_ids(0), *encoder.close))
    follow(other, (*encoder.open, *text.word_ids(2), *encoder.close))
    follow(one, (*encoder.open, *text.word_ids(0), *encoder.close, *encoder.end))
    assert [(m.first, m.last) for m in one.mentions] == [(0, 1), (4, 5)]
    assert [(m.first, m.last) for m in other.mentions] == [(2, 3)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("met \U0001f468\u200d\U0001f469\u200d\U0001f467 Ben", (4, 9)),  # a joined emoji
        ("at \U0001f1f3\U0001f1f4 now", (3, 5)),  # a flag
        ("ok\U0001f44d\U0001f3fd!", (2, 4)),  # a thumb with a skin tone
        ("cafe\u0301 Zoe\u0308 x", (6, 10)),  # combining marks
        ("\u5317\u4eac\u5927\u5b66\u5728\u5317\u4eac", (0, 4)),  # Chinese
        ("\u6771\u4eac\u30bf\u30ef\u30fc\u306b\u884c\u304f", (0, 5)),  # Japanese
        ("a\r\nNew\r\nYork\r\n", (3, 12)),  # a mention across line ends
        ("x\x00y Ben\x00", (4, 7)),
        ("\ud800 Ben \udfff", (2, 5)),  # lone surrogates
        ("Ben Ben Ben", (0, 7)),
        ("\u202eneB\u202c Ben", (6, 9)),  # a right-to-left override
        (
            "\u0645\u062d\u0645\u062f \u0641\u064a \u0627\u0644\u0642\u0627\u0647\u0631\u0629",
            (8, 15),
        ),
    ],
)
def test_offsets_are_code_points_of_the_text(
    encoder: PromptEncoder, text: str, wanted: tuple[int, int]
) -> None:
    encoded = window(encoder, text)
    gold = mentions_of(encoded, [Span(*wanted, "X")], "X")
    assert gold
    automaton = SpanCopy(encoded, encoder)
    follow(automaton, encoder.answer(encoded, gold))
    assert [(mention.start, mention.end) for mention in automaton.mentions] == [wanted]


def test_reused_words_give_nested_mentions_once_each(encoder: PromptEncoder) -> None:
    """ "New York University": the whole and its beginning; neither may be given again.

    After both, "New" can only be copied alone, and a mention must not stop after "New York".
    """
    text = window(encoder, "New York University")
    new, york, university = (text.word_ids(n) for n in range(3))
    automaton = SpanCopy(text, encoder, reuse_words=True)
    follow(automaton, (*encoder.open, *new, *york, *university, *encoder.close))
    follow(automaton, (*encoder.open, *new, *york, *encoder.close))
    follow(automaton, (*encoder.open, *new))
    assert automaton.options() == encoder.close[:1]
    follow(automaton, (*encoder.close, *encoder.open))
    # Every mention that begins with "New" is given.
    assert automaton.options() == tuple(sorted({york[0], university[0]}))
    follow(automaton, (*york, *encoder.close, *encoder.end))
    found = [(mention.first, mention.last) for mention in automaton.mentions]
    assert found == [(0, 3), (0, 2), (0, 1), (1, 2)]


def test_with_reuse_an_equal_string_is_the_next_place(encoder: PromptEncoder) -> None:
    text = window(encoder, "Ben or Ben")
    automaton = SpanCopy(text, encoder, reuse_words=True)
    for _ in range(2):
        follow(automaton, (*encoder.open, *text.word_ids(0), *encoder.close))
    assert [(m.first, m.last) for m in automaton.mentions] == [(0, 1), (2, 3)]


def test_a_used_up_beginning_is_no_reading_of_a_shared_first_token(
    encoder: PromptEncoder,
) -> None:
    """ " x" and " y" begin alike; after "x" and "x y" are given, only "y" can still be copied."""
    text = window(encoder, "x y")
    (shared, x), (first, y) = text.word_ids(0), text.word_ids(1)
    assert shared == first
    automaton = SpanCopy(text, encoder, reuse_words=True)
    follow(automaton, (*encoder.open, shared, x, *encoder.close))
    follow(automaton, (*encoder.open, shared, x, shared, y, *encoder.close))
    follow(automaton, (*encoder.open, shared))
    assert automaton.options() == (y,)


def test_a_mention_ends_before_a_word_that_must_not_be_copied(encoder: PromptEncoder) -> None:
    text = replace(window(encoder, "Anna Ben Anna"), usable=(True, False, True))
    automaton = SpanCopy(text, encoder)
    follow(automaton, (*encoder.open, *text.word_ids(0)))
    assert automaton.options() == encoder.close[:1]
    follow(automaton, (*encoder.close, *encoder.open))
    assert automaton.options() == text.word_ids(2)[:1]


def test_reuse_ends_at_the_span_limit(encoder: PromptEncoder) -> None:
    text = window(encoder, "a b c d")
    automaton = SpanCopy(text, encoder, reuse_words=True, span_limit=2)
    follow(automaton, (*encoder.open, *text.word_ids(0), *encoder.close))
    assert len(automaton.options()) == 2
    follow(automaton, (*encoder.open, *text.word_ids(1), *encoder.close))
    assert automaton.options() == encoder.end[:1]
