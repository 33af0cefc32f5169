from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.data.bench_files import drawn_support, read_test
from model.data.conll import ConllError
from model.data.nested import read_annotated, read_nested
from model.spans import AnnotatedText, Span


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_spans_inside_others_keep_their_places(tmp_path: Path) -> None:
    """``Universität Zürich hier``: words at 0, 12 and 19, so the first two end at 18."""
    row = {
        "tokens": ["Universität", "Zürich", "hier"],
        "entities": [[1, 2, "LOC"], [0, 2, "ORG"]],
    }
    path = written(tmp_path / "a.nested.jsonl", row, {"tokens": ["so"], "entities": []})
    whole = AnnotatedText("Universität Zürich hier", (Span(0, 18, "ORG"), Span(12, 18, "LOC")))
    assert read_nested(path) == [whole, AnnotatedText("so")]
    assert read_annotated(path) == read_nested(path)
    (tmp_path / "a.conll").write_text("so\tO\n")
    assert read_annotated(tmp_path / "a.conll") == [AnnotatedText("so")]


def test_a_line_separator_inside_a_word_ends_no_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["a\u2028b"], "entities": [[0, 1, "X"]]}\n', encoding="utf-8")
    assert read_nested(path) == [AnnotatedText("a\u2028b", (Span(0, 3, "X"),))]


def test_a_test_and_its_supports_may_be_nested(tmp_path: Path) -> None:
    rows = [{"tokens": [name], "entities": [[0, 1, "PER"]]} for name in ("Ann", "Ben", "Cyd")]
    scored = read_test(written(tmp_path / "test.nested.jsonl", *rows))
    assert scored.labels.names == ("PER",)
    drawn = drawn_support(
        tmp_path / "test.nested.jsonl", scored.labels, {"Ann", "Ben"}, shots=1, draw=0
    )
    assert [item.text for item in drawn] == ["Cyd"]


@pytest.mark.parametrize(
    "row",
    [
        {"tokens": ["a"], "entities": [[0, 2, "X"]]},
        {"tokens": ["a"], "entities": [[0, 0, "X"]]},
        {"tokens": ["a"], "entities": [[0, 1]]},
        {"tokens": ["a"]},
        ["a"],
    ],
)
def test_another_shape_is_refused_with_its_line(row: object, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"tokens": ["a"], "entities": []}, row)
    with pytest.raises(ConllError, match="line 2"):
        read_nested(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConllError, match=r"none\.jsonl"):
        read_nested(tmp_path / "none.jsonl")
