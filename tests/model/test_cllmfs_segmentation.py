from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.segmentation import windows_of, words_of


def cut(text: str, cuts: tuple[int, ...] = ()) -> list[str]:
    return [text[word.start : word.end] for word in words_of(text, cuts)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t ", []),
        ("Anna met Ben.", ["Anna", "met", "Ben", "."]),
        ("(U.S.-based)", ["(", "U", ".", "S", ".", "-", "based", ")"]),
        ("line\r\nline", ["line", "line"]),
        ("cafe\u0301 na\u00efve", ["cafe\u0301", "na\u00efve"]),
        ("\u5317\u4eac\u5e02 Beijing", ["\u5317", "\u4eac", "\u5e02", "Beijing"]),
        ("\u30ab\u30bf\u30ab\u30ca", ["\u30ab", "\u30bf", "\u30ab", "\u30ca"]),
        ("\u0e01\u0e34\u0e19", ["\u0e01\u0e34", "\u0e19"]),  # a Thai vowel sign stays
        (
            "hi \U0001f468\u200d\U0001f469\u200d\U0001f467!",
            ["hi", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "!"],
        ),
        ("\U0001f44d\U0001f3fdok", ["\U0001f44d\U0001f3fd", "ok"]),
        ("a\ud800b", ["a", "\ud800", "b"]),
        ("x_1 @you #tag", ["x", "_", "1", "@", "you", "#", "tag"]),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", ["\u0928\u092e\u0938\u094d\u0924\u0947"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert cut(text) == words


def test_gold_boundaries_cut_words() -> None:
    assert cut("Parisian roadworks", (5, 13)) == ["Paris", "ian", "road", "works"]


def test_spacing_is_remembered() -> None:
    assert [word.spaced for word in words_of("Anna (Ben), Cleo")] == [
        *(True, True, False, False, False, True),
    ]


@given(st.text(max_size=60), st.sets(st.integers(0, 60)))
def test_words_cover_everything_but_white_space_in_order(text: str, cuts: set[int]) -> None:
    words = words_of(text, cuts)
    position = 0
    for word in words:
        assert position <= word.start < word.end <= len(text)
        assert text[position : word.start].strip() == ""
        assert not text[word.start].isspace()
        assert not any(word.start < edge < word.end for edge in cuts)
        position = word.end
    assert text[position:].strip() == ""


def test_windows_prefer_the_end_of_a_sentence() -> None:
    """Limit 6, sizes 1: the first window could hold six words, the sentence ends after five."""
    breaks = [False, False, False, False, True, False, False, False]
    assert windows_of([1] * 8, breaks, 6) == [(0, 5), (5, 8)]


def test_windows_without_sentence_ends_are_full_and_giants_stand_alone() -> None:
    assert windows_of([2, 2, 2, 9, 1], [False] * 5, 4) == [(0, 2), (2, 3), (3, 4), (4, 5)]
    assert windows_of([], [], 4) == [(0, 0)]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_windows_cover_all_words_once(words: list[tuple[int, bool]], limit: int) -> None:
    sizes = [size for size, _ in words]
    ranges = windows_of(sizes, [ends for _, ends in words], limit)
    assert [n for first, last in ranges for n in range(first, last)] == list(range(len(words)))
    for first, last in ranges:
        assert last == first + 1 or sum(sizes[first:last]) <= limit
