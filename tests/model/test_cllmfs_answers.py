"""Answers on any text: random choices stay exact, an oracle gets back what it meant."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from answer_paths import follow, spread, window
from model.cllmfs.config import RowFormat
from model.cllmfs.decoding import SpanCopy
from model.cllmfs.examples import mentions_of
from model.cllmfs.prompt import PromptEncoder
from model.cllmfs.segmentation import words_of
from model.spans import AnnotatedText, Span

TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab .,-<>\n\r'\u0301\u200d\u4e2d\U0001f468\ud800"),
        st.characters(),
    ),
    max_size=30,
)


@pytest.fixture(scope="module", params=["sentence_first", "instruction_first"])
def encoder(tiny_base: Path, request: pytest.FixtureRequest) -> PromptEncoder:
    row_format: RowFormat = request.param
    return PromptEncoder(Tokenizer.from_file(str(tiny_base / "tokenizer.json")), row_format)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    text=TEXTS,
    choices=st.lists(st.integers(0, 2**16), max_size=80),
    reuse=st.booleans(),
    limit=st.integers(1, 6),
)
def test_any_choices_give_exact_spans_in_order(
    encoder: PromptEncoder, text: str, choices: list[int], reuse: bool, limit: int
) -> None:
    encoded = window(encoder, text)
    automaton = SpanCopy(encoded, encoder, reuse_words=reuse, span_limit=limit)
    markers = sum(map(len, (encoder.open, encoder.close, encoder.none, encoder.end)))
    markers += len(encoder.opening)
    mentions = limit if reuse else len(encoded.words)
    bound = markers * (mentions + 1) + len(encoded.ids) * (limit if reuse else 1)
    steps = 0
    while options := automaton.options():
        assert options == tuple(sorted(set(options)))
        assert not automaton.done
        # When the choices are used up the last option is taken, which seldom ends an answer.
        pick = choices[steps] % len(options) if steps < len(choices) else -1
        automaton.take(options[pick], spread(options))
        steps += 1
        assert steps <= bound
    assert automaton.done
    found = [(mention.first, mention.last) for mention in automaton.mentions]
    assert len(set(found)) == len(found) <= mentions
    assert [first for first, _ in found] == sorted(first for first, _ in found)
    if not reuse:
        assert all(one[1] <= other[0] for one, other in pairwise(found))
    for mention in automaton.mentions:
        assert 0.0 <= mention.confidence <= 1.0
        words = encoded.words[mention.first : mention.last]
        assert (mention.start, mention.end) == (words[0].start, words[-1].end)
        assert "".join(text[w.start : w.end] for w in words) == "".join(
            text[mention.start : mention.end].split()
        )


@st.composite
def annotated_texts(draw: st.DrawFn) -> AnnotatedText:
    """Texts of short words with disjoint gold spans, some of them cutting words."""
    text = draw(st.text(alphabet="ab \u4e2d\u0301.", min_size=1, max_size=25))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    spans = tuple(Span(start, end, "X") for start, end in pairs if text[start:end].strip())
    return AnnotatedText(text, spans)


@st.composite
def nested_texts(draw: st.DrawFn) -> AnnotatedText:
    """Texts of different words with any gold spans over them, nested and crossing ones too."""
    count = draw(st.integers(1, 6))
    words = [(3 * n, 3 * n + 2) for n in range(count)]
    ends = st.integers(0, count - 1)
    pairs = draw(st.sets(st.tuples(ends, ends), max_size=8))
    spans = {(words[min(pair)][0], words[max(pair)][1]) for pair in pairs}
    text = " ".join(f"{chr(97 + n)}{chr(110 + n)}" for n in range(count))
    return AnnotatedText(text, tuple(Span(start, end, "X") for start, end in sorted(spans)))


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(item=nested_texts())
def test_with_reuse_an_oracle_recovers_nested_and_crossing_spans(
    encoder: PromptEncoder, item: AnnotatedText
) -> None:
    encoded = window(encoder, item.text)
    gold = mentions_of(encoded, item.spans, "X", reuse_words=True)
    assert len(gold) == len(item.spans)
    automaton = SpanCopy(encoded, encoder, reuse_words=True)
    follow(automaton, encoder.answer(encoded, gold))
    assert automaton.done
    assert [(m.first, m.last) for m in automaton.mentions] == gold
    assert {(m.start, m.end) for m in automaton.mentions} == {s.key[:2] for s in item.spans}


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
