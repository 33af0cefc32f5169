from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from model.data.episodes import greedy_support
from model.spans import AnnotatedText, Span

LABELS = ("X", "Y", "Z")


def item(number: int, labels: str) -> AnnotatedText:
    spans = tuple(Span(place, place + 1, label) for place, label in enumerate(labels))
    return AnnotatedText(f"{'.' * len(labels)} {number}", spans)


def mentions(support: list[AnnotatedText]) -> Counter[str]:
    return Counter(span.label for text in support for span in text.spans)


POOLS = st.lists(st.text("XYZ", max_size=4), max_size=30).map(
    lambda rows: [item(number, labels) for number, labels in enumerate(rows)]
)


def test_enough_of_every_label_and_nothing_needless() -> None:
    pool = [item(n, "X") for n in range(9)] + [item(n + 9, "YY") for n in range(3)]
    support = greedy_support([*pool, AnnotatedText("nothing")], ("X", "Y"), 3, seed=1)
    assert mentions(support) == {"X": 3, "Y": 4}  # two texts of two
    assert support == greedy_support([*pool, AnnotatedText("nothing")], ("X", "Y"), 3, seed=1)
    assert support != greedy_support([*pool, AnnotatedText("nothing")], ("X", "Y"), 3, seed=2)


def test_a_text_the_others_make_needless_goes_again() -> None:
    """A text with X and Y makes each text with X alone needless at one shot."""
    pool = [item(0, "X"), item(1, "XY")]
    for seed in range(8):
        assert greedy_support(pool, ("X", "Y"), 1, seed) == [pool[1]]


def test_no_shots_and_no_labels_draw_nothing() -> None:
    assert greedy_support([item(0, "X")], ("X",), 0, 1) == []
    assert greedy_support([item(0, "X")], ("Y",), 3, 1) == []


@given(pool=POOLS, seed=st.integers(0, 5))
def test_every_label_has_its_shots_or_all_the_pool_has(
    pool: list[AnnotatedText], seed: int
) -> None:
    for shots in (1, 3):
        support = greedy_support(pool, LABELS, shots, seed)
        texts = [text.text for text in support]
        assert len(set(texts)) == len(texts)
        assert all(text in pool for text in support)
        for label in LABELS:
            assert mentions(support)[label] >= min(shots, mentions(pool)[label])


@given(pool=POOLS, seed=st.integers(0, 5))
def test_fewer_shots_are_the_beginning_of_more(pool: list[AnnotatedText], seed: int) -> None:
    sets = [greedy_support(pool, LABELS, shots, seed) for shots in (1, 3, 5, 10)]
    for fewer, more in itertools.pairwise(sets):
        assert more[: len(fewer)] == fewer
