from __future__ import annotations

from pathlib import Path

import pytest

from model.data.conll import ConllError, annotated, read_conll, read_label_set, without_repeats
from model.data.episodes import greedy_support
from model.spans import AnnotatedText, Span


def test_tokens_become_text_with_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text(
        "Anna\tB-person\nSmith\tI-person\nmet\tO\nBen\tB-person\n\n\nOslo\tB-art-other\n",
        encoding="utf-8",
    )
    first, second = read_conll(path)
    assert first.text == "Anna Smith met Ben"
    assert first.spans == (Span(0, 10, "person"), Span(15, 18, "person"))
    assert second.spans == (Span(0, 4, "art-other"),)


def test_adjacent_and_dangling_tags() -> None:
    item = annotated(["a", "b", "c", "d", "e"], ["B-X", "B-X", "I-Y", "O", "I-X"])
    assert item.spans == (Span(0, 1, "X"), Span(2, 3, "X"), Span(4, 5, "Y"), Span(8, 9, "X"))


@pytest.mark.parametrize("content", ["Anna\n", "\tO\n", "Anna\tperson\n", "Anna\tB-\n", "a\tS-X\n"])
def test_other_formats_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.conll"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConllError):
        read_conll(path)


def test_label_set(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('{"dataset": "d", "types": {"PER": "person", "LOC": "place"}}')
    labels = read_label_set(path)
    assert labels.names == ("PER", "LOC")
    assert [label.question for label in labels] == ["person", "place"]
    path.write_text('{"types": ["PER"]}')
    with pytest.raises(ConllError):
        read_label_set(path)


def test_of_repeated_texts_the_first_is_kept() -> None:
    one, two = AnnotatedText("a", (Span(0, 1, "X"),)), AnnotatedText("b")
    assert without_repeats([one, two, AnnotatedText("a")]) == [one, two]


def test_greedy_support_has_enough_of_every_label_and_nothing_needless() -> None:
    pool = [AnnotatedText(f"{n} x", (Span(0, 1, "X"),)) for n in range(9)]
    pool += [AnnotatedText(f"{n} y", (Span(0, 1, "Y"), Span(2, 3, "Y"))) for n in range(3)]
    pool += [AnnotatedText("nothing")]
    support = greedy_support(pool, ("X", "Y"), 3, seed=1)
    labels = [span.label for item in support for span in item.spans]
    assert labels.count("X") == 3
    assert labels.count("Y") == 4  # two texts of two
    assert support == greedy_support(pool, ("X", "Y"), 3, seed=1)
    assert support != greedy_support(pool, ("X", "Y"), 3, seed=2)
