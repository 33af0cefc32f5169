"""`nerloop bench episodes` on a small corpus, with plain fine-tuning of a tiny encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backend.cli.bench_commands import app
from backend.cli.bench_plot import EpisodesPlotError
from backend.cli.bench_request import BenchOptionsError
from model.data.episode_files import EpisodeFileError
from model.data.episode_sampling import EpisodeError
from model.evaluation.report import ReportError
from tiny_encoder import write_tiny_encoder

WORDS = {
    "PER": ("Ann", "Ben", "Cyd", "Dan", "Eva", "Fay"),
    "LOC": ("Oslo", "Rome", "Bonn", "Kiel", "Bern", "Riga"),
    "ORG": ("Acme", "Bell", "Cato", "Dyne", "Ecco", "Ford"),
}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = [
        f"{word}\tB-{label}\nwas\tO\nquiet\tO\n\n" for label, own in WORDS.items() for word in own
    ]
    (folder / "test.conll").write_text("".join(lines))
    natural = {"PER": "person", "LOC": "place", "ORG": "company", "GONE": "nothing"}
    (folder / "labels.json").write_text(json.dumps({"types": natural}))
    lists = {"intra": {"train": ["PER"], "dev": [], "test": ["LOC", "ORG"]}}
    (folder / "type_splits.json").write_text(json.dumps(lists))
    monkeypatch.setenv("NERLOOP_DATA", str(tmp_path))
    return folder


@pytest.fixture
def common(corpus: Path, tmp_path: Path) -> list[str]:
    encoder = write_tiny_encoder(tmp_path / "encoder")
    return [
        *("--test", str(corpus / "test.conll"), "--method", "tagger", "--base", str(encoder)),
        *("--source-adapter", "none", "--home", str(tmp_path), "--threads", "1"),
        *("--config", '{"epochs": 1, "min_steps": 1, "max_steps": 1}', "--ways", "2"),
    ]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["episodes", *map(str, arguments)])


def good(*arguments: object) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def test_episodes_are_measured_kept_and_taken_up_again(common: list[str], tmp_path: Path) -> None:
    out, indices = tmp_path / "out.json", tmp_path / "indices.json"
    files = ["--episodes", 3, "--json", out, "--indices", indices]
    shown = good(*common, *files).output
    assert shown.count("inter/2way-1shot/") == 3
    assert "micro F1" in shown
    value, stored = read(out), read(indices)
    assert value["protocol"] == {
        "split": "inter",
        "episodes": 3,
        "ways": 2,
        "shots": 1,
        "queries": 1,
        "seed": 1,
        "oracle_types": False,
    }
    assert (stored["file"], len(stored["episodes"])) == ("corpus/test.conll", 3)
    for row, own in zip(value["runs"], stored["episodes"], strict=True):
        assert row["support_texts"] == len(own["support"])
        assert len(row["per_text"]) == len(own["query"])
        assert set(row["per_label"]) <= set(own["types"])
        assert sum(counts[2] for counts in row["per_text"]) == row["io_counts"][2] >= 2
    totals = [
        sum(counts[place] for row in value["runs"] for counts in row["per_text"])
        for place in range(3)
    ]
    f1 = 2 * totals[0] / (totals[1] + totals[2])
    assert value["micro"]["f1"] == pytest.approx(f1, abs=1e-6)
    assert value["micro"]["episodes"] == 3

    first = {**value, "runs": value["runs"][:1]}
    out.write_text(json.dumps(first))
    again = good(*common, *files).output
    assert again.count("measured before, skipped") == 1
    kept = [{name: row[name] for name in ("per_text", "adapter_digest")} for row in value["runs"]]
    now = read(out)["runs"]
    assert [{name: row[name] for name in ("per_text", "adapter_digest")} for row in now] == kept


def test_two_measurements_of_the_same_episodes_are_compared(
    common: list[str], tmp_path: Path
) -> None:
    one, two, figures = (tmp_path / f"{name}.json" for name in ("one", "two", "figures"))
    good(*common, "--episodes", 2, "--json", one)
    good(*common, "--episodes", 2, "--json", two, "--train-seed", 2)
    compared = CliRunner().invoke(
        app, ["compare", str(one), str(two), "--draws", "100", "--json", str(figures)]
    )
    assert compared.exit_code == 0, compared.output
    (verdict,) = read(figures)["comparisons"]
    assert verdict["supports"] == 2
    assert verdict["f1_a"] == read(one)["micro"]["f1"]
    drawn = CliRunner().invoke(app, ["plot", str(one), "--out", str(tmp_path / "f1")])
    assert isinstance(drawn.exception, EpisodesPlotError)


def test_sampling_alone_writes_the_episodes_of_a_split(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    indices = tmp_path / "intra.json"
    options = [*common, "--split", "intra-like", "--episodes", 4, "--sample-only"]
    assert "4 episodes are in" in good(*options, "--indices", indices).output
    assert {tuple(own["types"]) for own in read(indices)["episodes"]} == {("LOC", "ORG")}
    before = indices.read_bytes()
    good(*options, "--indices", indices)
    assert indices.read_bytes() == before
    assert isinstance(run(*options).exception, BenchOptionsError)
    (corpus / "test.conll").write_text((corpus / "test.conll").read_text() + "more\tO\n")
    refused = run(*options, "--indices", indices).exception
    assert isinstance(refused, EpisodeFileError)
    assert "another file" in str(refused)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--split", "outer"], BenchOptionsError, "inter, intra-like"),
        (["--split", "intra-like-dev"], EpisodeError, "only 0 are there: none"),
        (["--ways", "4"], EpisodeError, "only 3 are there"),
        (["--shots", "5", "--queries", "5"], EpisodeError, "too small"),
        (["--config", "{"], BenchOptionsError, "not JSON"),
    ],
)
def test_wrong_options_are_told(
    common: list[str], options: list[str], error: type[Exception], words: str
) -> None:
    result = run(*common, *options)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)


def test_other_episodes_do_not_go_into_the_same_file(common: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    good(*common, "--episodes", 1, "--json", out)
    refused = run(*common, "--episodes", 1, "--json", out, "--seed", 2)
    assert isinstance(refused.exception, ReportError)
    assert "protocol.seed: 2, 1" in str(refused.exception)
