from __future__ import annotations

from pathlib import Path

import pytest

from model.data.conll import ConllError, annotated, read_conll, read_label_set, without_repeats
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


def test_windows_line_ends_and_a_byte_order_mark_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes("\ufeffAnna\tB-PER\r\nmet\tO\r\n\r\nBen\tB-PER\r\n".encode())
    assert read_conll(path) == [
        AnnotatedText("Anna met", (Span(0, 4, "PER"),)),
        AnnotatedText("Ben", (Span(0, 3, "PER"),)),
    ]


@pytest.mark.parametrize("content", [b"", b"\n\r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_holds_no_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes(content)
    assert read_conll(path) == []


def test_files_that_are_not_there_or_not_text_are_our_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.conll").write_bytes(b"Jos\xe9\tO\n")
    for name in ("missing.conll", "latin.conll", "."):
        with pytest.raises(ConllError, match="cannot be read"):
            read_conll(tmp_path / name)
    with pytest.raises(ConllError):
        read_label_set(tmp_path / "labels.json")


def test_without_spaces_only_latin_words_are_kept_apart() -> None:
    tokens = ["我", "在", "New", "York", "買", "3", "個", "Big", "-", "Mac"]
    tags = ["O", "O", "B-LOC", "I-LOC", "O", "O", "O", "B-X", "I-X", "I-X"]
    item = annotated(tokens, tags, spaced=False)
    assert item.text == "我在New York買3個Big-Mac"
    assert [item.text[span.start : span.end] for span in item.spans] == ["New York", "Big-Mac"]


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
