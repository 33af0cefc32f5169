from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.method import Cllmfs
from model.cllmfs.source import SourceMix, SourceSampler, natural
from model.cllmfs.source_concepts import COARSE, FINE, WORDS
from model.cllmfs.source_training import train_base_adapter
from model.spans import AnnotatedText, Span

WHOLE = AnnotatedText(
    "Joan Reed flew to Oslo in May with her father .",
    (Span(0, 9, "person-politician"), Span(18, 22, "location-GPE")),
)
LEFT_OVER = AnnotatedText("Then Kim Lee met her in Bergen .", (Span(24, 30, "location-GPE"),))


def test_punctuation_is_joined_and_offsets_move_along() -> None:
    item = AnnotatedText(
        'Ann ( of Oslo ) said : " I do n\'t , Ben " .', (Span(9, 13, "X"), Span(36, 39, "Y"))
    )
    joined = natural(item)
    assert joined.text == 'Ann (of Oslo) said: "I don\'t, Ben".'
    assert [joined.text[span.start : span.end] for span in joined.spans] == ["Oslo", "Ben"]


@given(st.lists(st.sampled_from(["Ann", "(", ")", ",", '"', "'s", "n't", "$", "5"]), min_size=1))
def test_joining_keeps_every_character_but_spaces(tokens: list[str]) -> None:
    text = " ".join(tokens)
    spans, position = [], 0
    for token in tokens:
        spans.append(Span(position, position + len(token), "X"))
        position += len(token) + 1
    joined = natural(AnnotatedText(text, tuple(spans)))
    assert joined.text.replace(" ", "") == text.replace(" ", "")
    assert [joined.text[span.start : span.end] for span in joined.spans] == tokens


def test_broad_concepts_are_asked_only_where_no_name_is_left_over() -> None:
    broad = {name.lower() for concept in COARSE for name in concept.names}
    broad -= {name.lower() for concept in (*FINE, *WORDS) for name in concept.names}
    sampler = SourceSampler([LEFT_OVER], SourceMix(joined=0.0), seed=1)
    asked = {label.question.lower() for _ in range(150) for label in sampler.draw().labels}
    assert not asked & broad
    sampler = SourceSampler([WHOLE], SourceMix(joined=0.0), seed=1)
    asked = {label.question.lower() for _ in range(150) for label in sampler.draw().labels}
    assert asked & broad


def test_answers_are_right_and_absent_concepts_have_none() -> None:
    sampler = SourceSampler([WHOLE], SourceMix(joined=0.0, natural=0.0, lower=0.0), seed=3)
    politicians = {
        n.lower() for c in (*COARSE, *FINE) if c.covers("person-politician") for n in c.names
    }
    places = {n.lower() for c in (*COARSE, *FINE) if c.covers("location-GPE") for n in c.names}
    listed = {"father", "May"}
    present = absent = 0
    for _ in range(200):
        drawn = sampler.draw()
        for label in drawn.labels:
            found = [
                drawn.item.text[s.start : s.end] for s in drawn.item.spans if s.label == label.name
            ]
            present, absent = present + bool(found), absent + (not found)
            if label.question.lower() in politicians:
                assert found == ["Joan Reed"]
            elif label.question.lower() in places:
                assert found == ["Oslo"]
            else:
                assert set(found) <= listed
    assert 0.3 < absent / (present + absent) < 0.75


def test_the_demo_types_stay_out_of_the_source_questions() -> None:
    names = {name.lower() for concept in (*COARSE, *FINE, *WORDS) for name in concept.names}
    words = {word for concept in WORDS for word in concept.words}
    for forbidden in ("plant", "pest", "insect", "flower", "tree", "weed", "aphid", "mildew"):
        assert not any(forbidden in name.rstrip("s").split() for name in names)
        assert forbidden not in words


def test_the_source_stage_runs_and_is_reproducible(tiny_method: Cllmfs) -> None:
    first = train_base_adapter(tiny_method, [WHOLE, LEFT_OVER], steps=3, seed=2)
    again = train_base_adapter(tiny_method, [WHOLE, LEFT_OVER], steps=3, seed=2)
    assert first.files == again.files
    assert first.report["steps"] == 3
