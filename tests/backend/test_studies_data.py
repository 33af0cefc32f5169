from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.studies.changes import Change, changed
from backend.studies.representation import KeptStates, figures, representation_rows
from model.spans import AnnotatedText, Span

TEXT = AnnotatedText(
    "Margaret visited Liverpool yesterday", (Span(0, 8, "PER"), Span(17, 26, "LOC"))
)


def test_case_is_changed_and_nothing_moves() -> None:
    assert changed(TEXT, "lower", 0) == AnnotatedText(TEXT.text.lower(), TEXT.spans)
    assert changed(TEXT, "upper", 0) == AnnotatedText(TEXT.text.upper(), TEXT.spans)
    sharp = AnnotatedText("Die Straße in Weiß", (Span(14, 18, "LOC"),))
    assert changed(sharp, "upper", 0).text == "DIE STRAßE IN WEIß"


def test_typing_errors_move_the_spans_with_their_words() -> None:
    seen = set()
    for seed in range(200):
        item = changed(TEXT, "typos", seed)
        words = item.text.split()
        assert len(words) == 4
        assert [item.text[span.start : span.end] for span in item.spans] == [words[0], words[2]]
        for word, old in zip(words, TEXT.text.split(), strict=True):
            assert (word[0], abs(len(word) - len(old)) <= 1) == (old[0], True)
        seen |= {len(item.text) - len(TEXT.text)}
        assert changed(TEXT, "typos", seed) == item
    assert {-1, 0, 1} <= seen
    same = sum(changed(TEXT, "typos", seed).text == TEXT.text for seed in range(400)) / 400
    # four words, each changed with probability 0.15: 0.85 ** 4 = 0.52 stay whole
    assert same == pytest.approx(0.52, abs=0.1)


@given(
    st.text(max_size=40).filter(lambda text: len(text) > 2),
    st.data(),
    st.sampled_from(get_args(Change)),
)
def test_any_text_and_span_can_be_changed(text: str, data: st.DataObject, change: Change) -> None:
    start = data.draw(st.integers(0, len(text) - 2))
    end = data.draw(st.integers(start + 1, len(text)))
    item = AnnotatedText(text, (Span(start, end, "X"),))
    new = changed(item, change, 1)
    assert len(new.spans) == 1


def test_alignment_uniformity_and_margin_by_hand() -> None:
    """Unit vectors in the plane: names e1 twice, mentions e1 and e2, neighbours e2 and e2.

    alignment  = (|e1-e1|^2 + |e1-e2|^2) / 2 = (0 + 2) / 2 = 1
    uniformity = log exp(-2 |e1-e2|^2) = -4, one pair
    margin     = ((1 - 0) + (0 - 0)) / 2 = 0.5
    """
    e1, e2 = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    states = _states([e1, e1], [e1, e2], [e2, e2])
    found = figures(states)
    assert {name: float(value[0, 0]) for name, value in found.items()} == pytest.approx(
        {"alignment": 1.0, "uniformity": -4.0, "margin": 0.5}
    )
    # a mention that counts twice weighs twice, and is no pair with itself
    weighted = figures(states, np.array([[2.0, 1.0]]))
    assert float(weighted["alignment"][0, 0]) == pytest.approx(2 / 3)
    assert float(weighted["uniformity"][0, 0]) == pytest.approx(-4.0)


def test_differences_of_states_have_intervals_around_them() -> None:
    generator = np.random.default_rng(0)
    near = generator.normal(size=(60, 8))
    names = near + 0.1 * generator.normal(size=(60, 8))
    other = generator.normal(size=(60, 8))
    aligned, loose = _states(names, near, other), _states(names, other, near)
    first, same, far = representation_rows(
        [("a", aligned), ("same", aligned), ("far", loose)], draws=300
    )
    assert "alignment_interval" not in first
    assert same["alignment_interval"] == [0.0, 0.0]
    low, high = far["alignment_interval"]
    assert 0 < low <= far["alignment_difference"] <= high


def _states(anchors: object, mentions: object, neighbours: object) -> KeptStates:
    parts = [np.array(part, dtype=np.float64)[None] for part in (anchors, mentions, neighbours)]
    first, second, third = (part / np.linalg.norm(part, axis=-1, keepdims=True) for part in parts)
    return KeptStates(first, second, third, np.arange(parts[0].shape[1]))
