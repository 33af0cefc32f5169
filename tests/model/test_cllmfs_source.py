from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.cllmfs.method import Cllmfs
from model.cllmfs.source import SourceMix, SourceSampler, SourceText
from model.cllmfs.source_concepts import concepts
from model.cllmfs.source_lexicon import lexicon
from model.cllmfs.source_patterns import patterns
from model.cllmfs.source_questions import QuestionMix
from model.cllmfs.source_training import train_base_adapter
from model.spans import AnnotatedText, Span

WHOLE = AnnotatedText(
    "Joan Reed flew to Oslo in May with her father .",
    (Span(0, 9, "person-politician"), Span(18, 22, "location-GPE")),
)
LEFT_OVER = AnnotatedText("Then Kim Lee met her in Bergen .", (Span(24, 30, "location-GPE"),))
NAMES_ONLY = QuestionMix(nouns=0.0, mentions=0.0, patterns=0.0, described=0.0)
CLEAN = SourceMix(chat=0.0, nameless=0.0, joined=0.0, natural=0.0, noisy=0.0, lower=0.0, upper=0.0)


def drawn(corpus: Sequence[AnnotatedText], mix: SourceMix, *, seed: int = 1) -> list[SourceText]:
    sampler = SourceSampler(corpus, mix, seed)
    return [sampler.draw() for _ in range(150)]


def spelled(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalpha())


def answers(text: SourceText, label: str) -> list[str]:
    return [text.item.text[s.start : s.end] for s in text.item.spans if s.label == label]


def test_broad_concepts_are_asked_only_where_no_name_is_left_over() -> None:
    broad = {spelled(name) for c in concepts() if c.broad for name in c.names}
    broad -= {spelled(name) for c in concepts() if not c.broad for name in c.names}
    mix = replace(CLEAN, questions=NAMES_ONLY)
    asked = {spelled(q.question) for t in drawn([LEFT_OVER], mix) for q in t.labels}
    assert asked
    assert not asked & broad
    asked = {spelled(q.question) for t in drawn([WHOLE], mix) for q in t.labels}
    assert asked & broad


def test_answers_are_right_and_absent_concepts_have_none() -> None:
    def named(label: str) -> set[str]:
        return {spelled(n) for c in concepts() if c.covers(label) for n in c.names}

    people, places = named("person-politician"), named("location-GPE")
    found = missed = 0
    for text in drawn([WHOLE], replace(CLEAN, questions=NAMES_ONLY), seed=3):
        for label in text.labels:
            got = answers(text, label.name)
            found, missed = found + bool(got), missed + (not got)
            name = spelled(label.question)
            if name in people:
                assert got == ["Joan Reed"]
            elif name in places:
                assert got == ["Oslo"]
            else:
                singular = name.removesuffix("s") in people | places
                assert singular or not got
    assert 0.3 < missed / (found + missed) < 0.75


def test_common_nouns_and_patterns_are_asked_as_well() -> None:
    mix = replace(CLEAN, questions=QuestionMix(nouns=0.4, mentions=0.2, patterns=0.2))
    texts = drawn([WHOLE], mix)
    everything = {got for text in texts for q in text.labels for got in answers(text, q.name)}
    assert {"Joan Reed", "Oslo", "father", "her father", "May"} <= everything
    assert everything <= {"Joan Reed", "Oslo", "father", "her father", "May"}


def test_a_phrase_with_its_article_is_asked_only_where_the_question_tells() -> None:
    relatives = {spelled(name) for name in lexicon().concepts["relative"].names}
    mix = replace(CLEAN, questions=QuestionMix(nouns=0.9, mentions=0.0, patterns=0.0))
    lengths = set()
    for text in drawn([WHOLE], mix):
        for label in text.labels:
            if spelled(label.question) in relatives:
                got = answers(text, label.name)
                assert got in (["father"], ["her father"])
                lengths.add(got[0])
                if got == ["her father"]:
                    assert "phrase" in label.description
    assert lengths == {"father", "her father"}


def test_spans_are_whole_words_whatever_is_done_to_the_text() -> None:
    mix = SourceMix(chat=0.3, nameless=0.2, noisy=0.7, lower=0.2, upper=0.2)
    chatty = 0
    for text in drawn([WHOLE, LEFT_OVER], mix):
        chatty += "#" in text.item.text or "@" in text.item.text
        for span in text.item.spans:
            words = text.item.text
            assert words[span.start : span.end].strip() == words[span.start : span.end]
            assert span.start == 0 or not words[span.start - 1].isalnum()
            assert span.end == len(words) or not words[span.end].isalnum()
            assert span.label in {label.name for label in text.labels}
    assert chatty > 20


def test_a_stretch_without_names_answers_no_question_about_names() -> None:
    named = AnnotatedText(
        "Oslo is cold , and nobody in the whole town likes that at all .",
        (Span(0, 4, "location-GPE"),),
    )
    mix = replace(CLEAN, nameless=1.0, questions=NAMES_ONLY)
    for text in drawn([named], mix):
        assert text.item.text == "is cold , and nobody in the whole town likes that at all"
        assert not text.item.spans
        assert text.labels


def test_the_same_seed_draws_the_same_rows() -> None:
    assert drawn([WHOLE, LEFT_OVER], SourceMix()) == drawn([WHOLE, LEFT_OVER], SourceMix())
    other = drawn([WHOLE, LEFT_OVER], SourceMix(), seed=2)
    assert drawn([WHOLE, LEFT_OVER], SourceMix()) != other


def test_the_demo_types_stay_out_of_the_source_questions() -> None:
    names = {name for concept in concepts() for name in concept.names}
    names |= {name for concept in lexicon().concepts.values() for name in concept.names}
    names |= {name for concept in lexicon().mentions for name in concept.names}
    names |= {name for concept in patterns().values() for name in concept.names}
    words = {noun for concept in lexicon().concepts.values() for noun in concept.nouns}
    for forbidden in ("plant", "pest", "insect", "flower", "tree", "weed", "aphid", "mildew"):
        assert not any(forbidden in name.lower().rstrip("s").split() for name in names)
        assert forbidden not in words


def test_the_source_stage_runs_and_is_reproducible(tiny_method: Cllmfs) -> None:
    first = train_base_adapter(tiny_method, [WHOLE, LEFT_OVER], steps=3, seed=2)
    again = train_base_adapter(tiny_method, [WHOLE, LEFT_OVER], steps=3, seed=2)
    assert first.files == again.files
    assert first.report["steps"] == 3
