from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.cllmfs.automata import answer_automata
from model.cllmfs.config import CllmfsConfig, Decoding, RowFormat
from model.cllmfs.decoding import AnswerAutomaton, SpanCopy
from model.cllmfs.prompt import EncodedText, PromptEncoder
from model.cllmfs.string_matching import MatchedAnswer, PlainText, answer_limit, bag_of

TEXTS = st.text(alphabet=st.one_of(st.sampled_from("aB \n\u0130\ud800<>"), st.characters()))
FREE = CllmfsConfig(decoding="free")


def answer_automaton(
    config: CllmfsConfig, text: EncodedText, encoder: PromptEncoder
) -> AnswerAutomaton:
    (only,) = answer_automata(config, text, encoder, 1)
    return only


@pytest.fixture(scope="module", params=["sentence_first", "instruction_first"])
def encoder(tiny_base: Path, request: pytest.FixtureRequest) -> PromptEncoder:
    row_format: RowFormat = request.param
    return PromptEncoder(Tokenizer.from_file(str(tiny_base / "tokenizer.json")), row_format)


def window(encoder: PromptEncoder, text: str) -> EncodedText:
    (only,) = encoder.windows(text, limit=10_000)
    return only


def say(automaton: AnswerAutomaton, tokens: tuple[int, ...], chance: float = 1.0) -> None:
    for token in tokens:
        automaton.take(token, math.log(chance))


def answered(encoder: PromptEncoder, text: str, *mentions: str) -> AnswerAutomaton:
    """A free answer that lists some strings."""
    automaton = answer_automaton(FREE, window(encoder, text), encoder)
    say(automaton, encoder.opening)
    for mention in mentions:
        say(automaton, (*encoder.open, *encoder.encode(f" {mention}"), *encoder.close))
    say(automaton, encoder.end)
    return automaton


@pytest.mark.parametrize(
    ("text", "mentions", "places"),
    [
        ("Anna met Ben", ["Ben", "Anna"], [(9, 12), (0, 4)]),
        ("Anna met Ben", ["ben", "ANNA"], [(9, 12), (0, 4)]),
        ("Ben or Ben or Ben", ["Ben", "Ben"], [(0, 3), (7, 10)]),  # the first unused one
        ("Paris", ["ari"], [(1, 4)]),  # parts of words count, as in the published way
        ("New  \r\n York", ["New York"], [(0, 12)]),
        ("in \u0130zmir now", ["\u0130zmir"], [(3, 8)]),  # grows in lower case
        ("\ud800 Ben", ["?"], [(0, 1)]),  # what the model reads for a lone surrogate
        ("Anna", ["Ben"], []),
        ("Anna", ["Anna", "Anna"], [(0, 4)]),
        ("Anna Smith", ["Anna Smith", "Smith"], [(0, 10)]),
        ("", ["Anna"], []),
    ],
)
def test_strings_are_found_in_the_text(
    encoder: PromptEncoder, text: str, mentions: list[str], places: list[tuple[int, int]]
) -> None:
    automaton = answered(encoder, text, *mentions)
    assert automaton.done
    assert [(mention.start, mention.end) for mention in automaton.mentions] == places
    assert automaton.dropped == len(mentions) - len(places)
    for mention in automaton.mentions:
        words = window(encoder, text).words[mention.first : mention.last]
        assert words[0].start <= mention.start < mention.end <= words[-1].end


def test_confidence_covers_a_mention_from_marker_to_marker(encoder: PromptEncoder) -> None:
    """Markers 0.5, mention 0.8: the geometric mean over both markers and the mention."""
    automaton = answer_automaton(FREE, window(encoder, "Anna met Ben"), encoder)
    say(automaton, encoder.opening)
    for name in ("Ben", "Anna"):
        words = encoder.encode(f" {name}")
        for tokens, chance in ((encoder.open, 0.5), (words, 0.8), (encoder.close, 0.5)):
            say(automaton, tokens, chance)
        markers = len(encoder.open) + len(encoder.close)
        mean = (0.5**markers * 0.8 ** len(words)) ** (1 / (markers + len(words)))
        assert automaton.mentions[-1].confidence == pytest.approx(mean)


def test_none_gives_the_absence(encoder: PromptEncoder) -> None:
    automaton = answer_automaton(FREE, window(encoder, "Anna"), encoder)
    say(automaton, encoder.opening)
    assert automaton.starting
    automaton.take(encoder.none[0], math.log(0.9))
    assert automaton.absence == pytest.approx(0.9)
    assert not automaton.starting
    say(automaton, (*encoder.none[1:], *encoder.end))
    assert automaton.done
    assert automaton.mentions == []


def test_the_bag_holds_all_pieces_of_all_words_and_the_markers(encoder: PromptEncoder) -> None:
    text = window(encoder, "Anna, met")
    bag = bag_of(text, encoder)
    wanted = {*encoder.open, *encoder.close, *encoder.none, *encoder.end}
    for word in ("Anna", " Anna", ",", " ,", "met", " met"):
        wanted.update(encoder.encode(word))
    assert bag == tuple(sorted(wanted))


def test_a_token_outside_the_bag_is_refused(encoder: PromptEncoder) -> None:
    config = CllmfsConfig(decoding="bag")
    automaton = answer_automaton(config, window(encoder, "Anna"), encoder)
    say(automaton, encoder.opening)
    outside = next(iter(set(range(400)) - set(bag_of(window(encoder, "Anna"), encoder))))
    with pytest.raises(ValueError, match="may not follow"):
        automaton.take(outside)


def test_an_open_mention_at_the_limit_is_dropped_and_counted(encoder: PromptEncoder) -> None:
    text = window(encoder, "Anna")
    limit = len(encoder.open) + 3
    automaton = MatchedAnswer(PlainText(text), encoder, None, limit)
    say(automaton, (*encoder.opening, *encoder.open))
    while not automaton.done:
        automaton.take(encoder.encode("A")[0], -1.0)
    assert (automaton.mentions, automaton.dropped) == ([], 1)
    assert automaton.options() == ()


def test_the_configuration_chooses(encoder: PromptEncoder) -> None:
    text = window(encoder, "Anna met Ben")
    automata = answer_automata(CllmfsConfig(reuse_words=True), text, encoder, 3)
    assert [type(automaton) for automaton in automata] == [SpanCopy] * 3
    first = automata[0]
    for _ in range(2):
        while (options := first.options()) is not None and len(options) == 1:
            first.take(options[0])
        say(first, (*encoder.open, *text.word_ids(0)))
        if encoder.close[0] in (first.options() or ()):
            say(first, encoder.close)
    # With reuse the same word may begin a longer mention.
    assert [(m.first, m.last) for m in first.mentions] == [(0, 1)]
    assert first.options() == text.word_ids(1)[:1]
    bag, free = (
        answer_automaton(CllmfsConfig(decoding=decoding), text, encoder)
        for decoding in ("bag", "free")
    )
    say(bag, encoder.opening)
    say(free, encoder.opening)
    assert (bag.options(), free.options()) == (bag_of(text, encoder), None)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    text=TEXTS,
    tokens=st.lists(st.integers(0, 2**16), max_size=60),
    decoding=st.sampled_from(["bag", "free"]),
)
def test_any_choices_end_and_stay_inside_the_text(
    encoder: PromptEncoder, text: str, tokens: list[int], decoding: Decoding
) -> None:
    encoded = window(encoder, text)
    automaton = answer_automaton(CllmfsConfig(decoding=decoding), encoded, encoder)
    markers = (encoder.open, encoder.close)
    # Random tokens with markers between them, then the last token for ever.
    planned = [t for n, token in enumerate(tokens) for t in (token, *markers[n % 2])]
    steps = 0
    while not automaton.done:
        options = automaton.options() or tuple(range(300))
        wanted = planned[steps] if steps < len(planned) else 1
        automaton.take(wanted if wanted in options else options[wanted % len(options)], -1.0)
        steps += 1
        assert steps <= answer_limit(encoded) + len(encoder.opening)
    used: set[int] = set()
    for mention in automaton.mentions:
        place = set(range(mention.start, mention.end))
        assert place <= set(range(len(text)))
        assert not place & used
        used |= place
