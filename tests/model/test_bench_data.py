"""The protocol's files as they lie in NERLOOP_DATA; skipped where the folder is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.data.bench_files import read_test, support_files
from model.data.conll import read_conll
from model.evaluation.measurement import Measurement, SupportSet, chosen
from model.evaluation.protocol import run_protocol
from remembering_method import RememberingMethod, remembered


def folder(name: str) -> Path:
    path = Path(os.environ.get("NERLOOP_DATA", "missing"))
    if not (path / name).is_dir():
        pytest.skip(f"NERLOOP_DATA has no folder {name}")
    return path


@pytest.mark.parametrize(
    ("name", "sentences", "spans", "labels"), [("wnut17", 1287, 1079, 6), ("gum", 1000, 3439, 11)]
)
def test_the_test_files_have_the_published_size(
    name: str, sentences: int, spans: int, labels: int
) -> None:
    test = read_test(folder(name) / name / "test.conll")
    assert len(test.items) == sentences
    assert sum(len(item.spans) for item in test.items) == spans
    assert len(test.labels) == labels
    assert len(set(chosen(sentences, 300, 1))) == 300


@pytest.mark.parametrize("name", ["wnut17", "gum"])
@pytest.mark.parametrize("shots", [1, 5])
def test_every_support_set_runs_and_one_shares_a_sentence_with_its_test(
    name: str, shots: int
) -> None:
    data = folder(name)
    test = read_test(data / name / "test.conll")
    files = support_files([data / "support" / name / f"{shots}shot"])
    assert [file.name for file in files] == [f"{number}.conll" for number in range(10)]
    supports = [SupportSet(file.stem, tuple(read_conll(file))) for file in files]
    for support in supports:
        for label in test.labels.names:
            mentions = sum(span.label == label for item in support.items for span in item.spans)
            assert mentions >= shots
    measurement = Measurement(RememberingMethod(), remembered({}), test.labels, test.items)
    left_out = {
        run.support: len(test.items) - run.texts for run in run_protocol(measurement, supports)
    }
    assert sum(left_out.values()) == ((name, shots) == ("gum", 5))
    assert left_out["3"] == ((name, shots) == ("gum", 5))
