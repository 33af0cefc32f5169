from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.source_noise import Edit, chatted, edited, lowered, natural, shouted
from model.spans import AnnotatedText, Span

TOKENS = st.lists(
    st.sampled_from(["Ann", "(", ")", ",", '"', "'s", "n't", "$", "5", "you", "so", "because"]),
    min_size=1,
)


def spaced(tokens: list[str], *, every: int = 1) -> AnnotatedText:
    spans, position = [], 0
    for number, token in enumerate(tokens):
        if number % every == 0:
            spans.append(Span(position, position + len(token), "X"))
        position += len(token) + 1
    return AnnotatedText(" ".join(tokens), tuple(spans))


def surfaces(item: AnnotatedText) -> list[str]:
    return [item.text[span.start : span.end] for span in item.spans]


def test_punctuation_is_joined_and_offsets_move_along() -> None:
    item = AnnotatedText(
        'Ann ( of Oslo ) said : " I do n\'t , Ben " .', (Span(9, 13, "X"), Span(36, 39, "Y"))
    )
    joined = natural(item)
    assert joined.text == 'Ann (of Oslo) said: "I don\'t, Ben".'
    assert surfaces(joined) == ["Oslo", "Ben"]


@given(TOKENS)
def test_joining_keeps_every_character_but_spaces(tokens: list[str]) -> None:
    item = spaced(tokens)
    joined = natural(item)
    assert joined.text.replace(" ", "") == item.text.replace(" ", "")
    assert surfaces(joined) == tokens


@given(TOKENS, st.integers(0, 2**32), st.booleans(), st.integers(1, 3))
def test_chat_habits_leave_every_mention_as_it_is(
    tokens: list[str], seed: int, join: bool, every: int
) -> None:
    item = spaced(tokens, every=every)
    item = natural(item) if join else item
    noisy = chatted(item, random.Random(seed))
    assert surfaces(noisy) == surfaces(item)
    assert [span.label for span in noisy.spans] == [span.label for span in item.spans]
    assert noisy == chatted(item, random.Random(seed))


def test_chat_habits_change_what_is_no_mention() -> None:
    item = AnnotatedText("you met Ann because of the train .", (Span(8, 11, "X"),))
    results = {chatted(item, random.Random(seed)).text for seed in range(60)}
    assert any("cos" in text for text in results)
    assert any("@" in text for text in results)
    assert any(" #" in text for text in results)
    assert any("http" in text for text in results)
    assert any(not text.rstrip().endswith(".") and "." not in text[:30] for text in results)


def test_an_insertion_at_an_edge_stays_outside_the_span() -> None:
    item = AnnotatedText("ab cd", (Span(0, 2, "X"), Span(3, 5, "Y")))
    changed = edited(item, [Edit(0, 0, ">"), Edit(2, 2, "!"), Edit(5, 5, "<"), Edit(2, 3, "__")])
    assert changed.text == ">ab!__cd<"
    assert surfaces(changed) == ["ab", "cd"]


def test_the_case_changes_only_where_the_length_stays() -> None:
    item = AnnotatedText("Ann Straße", (Span(0, 3, "X"),))
    assert lowered(item).text == "ann straße"
    assert shouted(item) == item  # "ß" becomes "SS"
    assert shouted(AnnotatedText("Ann", (Span(0, 3, "X"),))).text == "ANN"
