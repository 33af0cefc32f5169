from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.cllmfs.decoding import SpanCopy
from model.cllmfs.examples import mentions_of
from model.cllmfs.prompt import EncodedText, PromptEncoder
from model.cllmfs.segmentation import words_of
from model.spans import AnnotatedText, Span

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


def window(encoder: PromptEncoder, text: str, cuts: set[int] | None = None) -> EncodedText:
    (only,) = encoder.windows(text, limit=10_000, cuts=cuts or ())
    return only


def follow(automaton: SpanCopy, tokens: tuple[int, ...]) -> None:
    """Take the tokens one by one, each with the log-probability of an even choice."""
    for token in tokens:
        options = automaton.options()
        assert token in options
        automaton.take(token, -math.log(len(options)) if len(options) > 1 else None)


def test_a_mention_is_copied_with_its_confidence(encoder: PromptEncoder) -> None:
    """Every choice is even, so the confidence is the geometric mean of 1 / options."""
    text = window(encoder, "Ben met Anna")
    automaton = SpanCopy(text, encoder)
    chances = []
    for token in (*encoder.open, *text.word_ids(2), *encoder.close):
        options = automaton.options()
        if len(options) > 1:
            chances.append(1 / len(options))
        automaton.take(token, -math.log(len(options)) if len(options) > 1 else None)
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


def test_a_word_that_looks_like_a_marker_is_never_copied(encoder: PromptEncoder) -> None:
    text = window(encoder, "a >> b << c")
    clashing = [n for n in range(len(text.words)) if encoder.close[0] in text.word_ids(n)]
    assert all(not text.usable[number] for number in clashing)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(text=TEXTS, choices=st.lists(st.integers(0, 2**16), max_size=60))
def test_any_choices_give_disjoint_spans_in_order(
    encoder: PromptEncoder, text: str, choices: list[int]
) -> None:
    encoded = window(encoder, text)
    automaton = SpanCopy(encoded, encoder)
    bound = 4 * sum(map(len, (encoded.ids, encoder.open, encoder.close, encoder.end))) + 50
    steps = 0
    while options := automaton.options():
        pick = choices[steps] if steps < len(choices) else 0
        automaton.take(options[pick % len(options)], -0.5 if len(options) > 1 else None)
        steps += 1
        assert steps < bound * 4
    assert automaton.done
    position = 0
    for mention in automaton.mentions:
        assert position <= mention.first < mention.last <= len(encoded.words)
        assert 0.0 <= mention.confidence <= 1.0
        start, end = encoded.words[mention.first].start, encoded.words[mention.last - 1].end
        assert text[start:end].strip() != ""
        position = mention.last


@st.composite
def annotated_texts(draw: st.DrawFn) -> AnnotatedText:
    """Texts of short words with disjoint gold spans, some of them cutting words."""
    text = draw(st.text(alphabet="ab \u4e2d\u0301.", min_size=1, max_size=25))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    spans = tuple(Span(start, end, "X") for start, end in pairs if text[start:end].strip())
    return AnnotatedText(text, spans)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(item=annotated_texts())
def test_an_oracle_recovers_exactly_the_representable_gold_spans(
    encoder: PromptEncoder, item: AnnotatedText
) -> None:
    cuts = {edge for span in item.spans for edge in (span.start, span.end)}
    encoded = window(encoder, item.text, cuts)
    words = words_of(item.text, cuts)
    gold = mentions_of(encoded, item.spans, "X")
    starts, ends = {w.start for w in words}, {w.end for w in words}
    assert len(gold) == sum(s.start in starts and s.end in ends for s in item.spans)
    automaton = SpanCopy(encoded, encoder)
    follow(automaton, encoder.answer(encoded, gold))
    assert automaton.done
    found = [(mention.first, mention.last) for mention in automaton.mentions]
    texts = [[encoded.word_ids(n) for n in range(*ends)] for ends in found]
    # Where the same string stands earlier too, the first unused place is meant.
    assert texts == [[encoded.word_ids(n) for n in range(*ends)] for ends in gold]
    if len({tuple(encoded.word_ids(n)) for n in range(len(words))}) == len(words):
        assert found == gold
