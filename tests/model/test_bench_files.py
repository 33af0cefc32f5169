from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.data.bench_files import (
    BenchFilesError,
    also_in,
    drawn_support,
    read_test,
    support_files,
)
from model.data.conll import ConllError
from model.spans import AnnotatedText, Label, LabelSet

ROWS = "Ann\tB-PER\nsang\tO\n\nOslo\tB-LOC\nsang\tO\n\nAnn\tB-PER\nsang\tO\n\nBen\tB-PER\n"


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    path = tmp_path / "test.conll"
    path.write_text(ROWS)
    return path


def name_labels(path: Path, **types: str) -> Path:
    path.write_text(json.dumps({"types": types}))
    return path


def test_labels_are_those_given_then_those_beside_then_those_that_occur(test_file: Path) -> None:
    assert read_test(test_file).labels == LabelSet((Label("LOC"), Label("PER")))
    name_labels(test_file.parent / "labels.json", PER="person", LOC="place", ORG="company")
    assert read_test(test_file).labels.names == ("PER", "LOC", "ORG")
    assert read_test(test_file, present_only=True).labels.names == ("PER", "LOC")
    given = name_labels(test_file.parent / "mine.json", PER="human")
    assert read_test(test_file, given).labels == LabelSet((Label("PER", "human"),))


def test_repeated_test_sentences_stay(test_file: Path) -> None:
    texts = [item.text for item in read_test(test_file).items]
    assert texts == ["Ann sang", "Oslo sang", "Ann sang", "Ben"]


def test_a_test_without_sentences_or_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.conll"
    with pytest.raises(ConllError, match="cannot be read"):
        read_test(path)
    path.write_text("")
    with pytest.raises(BenchFilesError, match="holds no sentence"):
        read_test(path)
    path.write_text("quiet\tO\n")
    with pytest.raises(BenchFilesError, match="names no label"):
        read_test(path)


def test_a_folder_stands_for_its_files_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.conll", "2.conll", "0.conll", "x.conll", "notes.md"):
        (tmp_path / name).write_text("")
    names = [path.name for path in support_files([tmp_path, tmp_path / "2.conll"])]
    assert names == ["x.conll", "0.conll", "2.conll", "10.conll", "2.conll"]
    with pytest.raises(BenchFilesError, match="no support file"):
        support_files([tmp_path / "missing.conll"])
    (tmp_path / "bare").mkdir()
    with pytest.raises(BenchFilesError, match=r"no \*.conll file"):
        support_files([tmp_path / "bare"])


def test_draws_leave_the_scored_sentences_alone(test_file: Path) -> None:
    labels = read_test(test_file).labels
    for draw in range(4):
        support = drawn_support(test_file, labels, {"Ann sang"}, shots=1, draw=draw)
        assert {item.text for item in support} == {"Oslo sang", "Ben"}
    with pytest.raises(BenchFilesError, match="Nothing can be drawn"):
        drawn_support(test_file, labels, {"Ann sang", "Oslo sang", "Ben"}, shots=1, draw=0)


def test_sentences_of_other_files_are_found(test_file: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.conll"
    train.write_text("Ann\tO\nsang\tO\n\nnew\tO\n")
    assert also_in(read_test(test_file).items, [train]) == [0, 2]
    assert also_in([AnnotatedText("x")], []) == []
