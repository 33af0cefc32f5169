from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backend.cli.bench_commands import app
from backend.cli.bench_request import BenchOptionsError
from model.data.conll import ConllError
from model.errors import AdapterError
from model.evaluation.comparison import ComparisonError
from model.evaluation.measurement import ProtocolError
from model.evaluation.report import ReportError
from model.method import AdapterFiles
from model.methods import UnknownMethodError

TEST = "Ann\tB-PER\nsang\tO\n\nOslo\tB-LOC\nis\tO\ncold\tO\n\nquiet\tO\n\nBen\tB-PER\nsang\tO\n"
SUPPORTS = {
    "0.conll": "Cyd\tB-PER\nin\tO\nRome\tB-LOC\n",
    "1.conll": "Dan\tB-PER\nslept\tO\n\nBen\tB-PER\nsang\tO\n",
    "2.conll": "Eva\tB-PER\nin\tO\nBonn\tB-LOC\n",
    "3.conll": "Fay\tB-PER\nin\tO\nKiel\tB-LOC\n",
}
QUICK = '{"epochs": 1, "min_steps": 1, "max_steps": 2, "pull": 0}'


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "corpus"
    (folder / "1shot").mkdir(parents=True)
    (folder / "test.conll").write_text(TEST)
    (folder / "labels.json").write_text('{"types": {"PER": "person", "LOC": "place"}}')
    for name, content in SUPPORTS.items():
        (folder / "1shot" / name).write_text(content)
    monkeypatch.setenv("NERLOOP_DATA", str(tmp_path))
    return folder


@pytest.fixture
def common(tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path) -> list[str]:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name, content in tiny_adapter.items():
        (adapter / name).write_bytes(content)
    base = ["--base", str(tiny_base), "--home", str(tmp_path), "--threads", "1"]
    return [*base, "--source-adapter", str(adapter), "--config", QUICK]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def score(*arguments: object) -> Result:
    result = run("score", *arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def test_zero_shot_is_one_run_without_a_support(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "zero.json"
    score("--method", "cllmfs", "--test", corpus / "test.conll", "--json", out, *common)
    value = read(out)
    (only,) = value["runs"]
    assert (only["support"], only["texts"], len(only["per_text"])) == (None, 4, 4)
    assert (value["method"], value["test"]) == ("cllmfs", "corpus/test.conll")
    assert value["labels"] == ["PER", "LOC"]
    assert value["protocol"] == {"limit": 0, "seed": 1, "oracle_types": False}
    assert value["std"]["f1"] == 0.0
    for name in ("precision", "recall", "f1", "io_f1", "type_blind_f1"):
        assert 0.0 <= only[name] <= 1.0
    assert str(tmp_path) not in out.read_text()


def test_support_files_are_runs_and_a_second_call_goes_on(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "shots.json"
    files = ["--test", corpus / "test.conll", "--json", out, *common]
    first = score("--support", corpus / "1shot" / "1.conll", *files)
    assert "corpus/1shot/1.conll: P " in first.output
    (kept,) = read(out)["runs"]
    assert kept["per_text"][3] is None  # that sentence is in the support file
    assert (kept["texts"], kept["support_texts"]) == (3, 2)
    assert kept["train_report"]["steps"] == 1

    second = score("--support", corpus / "1shot", *files)
    assert "corpus/1shot/1.conll: measured before, skipped" in second.output
    runs = read(out)["runs"]
    assert runs[0] == kept
    assert [row["support"][-7:] for row in runs] == ["1.conll", "0.conll", "2.conll", "3.conll"]

    content = out.read_bytes()
    third = score("--support", corpus / "1shot", *files)
    assert third.output.count("skipped") == 4
    assert out.read_bytes() == content

    again = score("--support", corpus / "1shot", *files, "--fresh")
    assert "skipped" not in again.output
    assert [row["per_text"] for row in read(out)["runs"][1:2]] == [kept["per_text"]]
    assert read(out)["runs"][1]["adapter_digest"] == kept["adapter_digest"]  # deterministic


def test_other_settings_and_other_kinds_of_support_do_not_mix(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "a.json"
    files = ["--test", corpus / "test.conll", "--json", out, *common]
    score(*files)
    refused = run("score", *files, "--limit", "2")
    assert isinstance(refused.exception, ReportError)
    assert "protocol.limit: 2, 0" in str(refused.exception)
    mixed = run("score", *files, "--support", corpus / "1shot")
    assert isinstance(mixed.exception, ReportError)
    assert "zero-shot" in str(mixed.exception)
    assert len(read(out)["runs"]) == 1


def test_support_sets_of_two_folders_are_refused_at_once(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    (corpus / "5shot").mkdir()
    (corpus / "5shot" / "0.conll").write_text(SUPPORTS["0.conll"])
    folders = ["--support", corpus / "1shot", "--support", corpus / "5shot"]
    out = tmp_path / "both.json"
    mixed = run("score", "--test", corpus / "test.conll", *folders, "--json", out, *common)
    assert isinstance(mixed.exception, ReportError)
    assert "2 kinds: corpus/1shot, corpus/5shot" in str(mixed.exception)
    assert not out.exists()


def test_runs_of_another_version_of_the_code_are_told(
    corpus: Path, common: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "codes.json"
    files = ["--test", corpus / "test.conll", "--json", out, *common]
    for code, number in (("v1", 0), ("v2", 2)):
        monkeypatch.setattr("model.evaluation.machine.code_version", lambda code=code: code)
        told = score("--support", corpus / "1shot" / f"{number}.conll", *files)
        assert ("Warning: the file holds runs of code v1; now it is v2." in told.output) == (
            code == "v2"
        )
    assert [row["code"] for row in read(out)["runs"]] == ["v1", "v2"]
    assert read(out)["digests"]["code"] == "v1, v2"
    assert read(out)["environment"]["threads"] == 1


def test_the_same_limit_and_seed_score_the_same_sentences(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    files = ["--test", corpus / "test.conll", *common, "--limit", "2"]
    digests = []
    cases: dict[str, list[object]] = {
        "zero": [],
        "shots": ["--support", corpus / "1shot" / "0.conll"],
        "seeded": ["--seed", "2"],
    }
    for name, options in cases.items():
        out = tmp_path / f"{name}.json"
        score(*files, *options, "--json", out)
        assert len(read(out)["runs"][0]["per_text"]) == 2
        digests.append(read(out)["sentences"])
    assert digests[0] == digests[1] != digests[2]


def test_the_quick_protocol_takes_three_support_files(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "quick.json"
    files = ["--test", corpus / "test.conll", *common]
    score(*files, "--quick", "--support", corpus / "1shot", "--json", out)
    assert len(read(out)["runs"]) == 3
    assert read(out)["protocol"] == {"limit": 300, "seed": 1, "oracle_types": False}
    refused = run("score", *files, "--quick", "--limit", "5")
    assert isinstance(refused.exception, BenchOptionsError)


def test_support_sets_are_drawn_from_a_file(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    pool = tmp_path / "pool.conll"
    pool.write_text("\n".join(SUPPORTS.values()) + "\n" + TEST)
    out = tmp_path / "drawn.json"
    files = ["--test", corpus / "test.conll", "--json", out, *common]
    score(*files, "--draw", pool, "--shots", "2", "--draws", "2")
    value = read(out)
    assert [row["support"] for row in value["runs"]] == [
        "pool.conll/2shot/0",
        "pool.conll/2shot/1",
    ]
    assert all(row["texts"] == 4 for row in value["runs"])  # nothing scored was drawn
    assert len({row["support_digest"] for row in value["runs"]}) == 2
    for wrong in (["--draw", pool], ["--shots", "2"]):
        assert isinstance(run("score", *files, *wrong).exception, BenchOptionsError)


def test_side_columns(corpus: Path, common: list[str], tmp_path: Path) -> None:
    train = tmp_path / "train.conll"
    train.write_text("Ann\tB-PER\nsang\tO\n")
    out = tmp_path / "side.json"
    score(
        *("--test", corpus / "test.conll", "--oracle-types", "--also-in", train),
        *("--source-adapter", "none", "--json", out, *common[:6], "--present-only"),
    )
    value = read(out)
    assert value["protocol"]["oracle_types"] is True
    assert value["source_adapter"] == "none"
    assert value["seen"] == [0]
    assert "f1_unseen" in value["runs"][0]
    assert value["runs"][0]["false_nonempty"] == 0


def test_two_files_are_compared_and_drawn(corpus: Path, common: list[str], tmp_path: Path) -> None:
    zero, shots = tmp_path / "zero.json", tmp_path / "shots.json"
    files = ["--test", corpus / "test.conll", *common]
    score(*files, "--json", zero)
    score(*files, "--support", corpus / "1shot", "--json", shots)
    figures = tmp_path / "comparison.json"
    compared = run("compare", zero, shots, zero, "--draws", "200", "--json", figures)
    assert compared.exit_code == 0, compared.output
    assert "no difference shown" in compared.output
    first, second = read(figures)["comparisons"]
    assert (first["supports"], first["sentences"]) == (4, 4)
    assert (second["difference"], second["p"]) == (0.0, 1.0)

    drawn = run("plot", zero, shots, "--out", tmp_path / "pictures" / "f1")
    assert drawn.exit_code == 0, drawn.output
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"f1.png", "f1.svg"}

    limited = tmp_path / "limited.json"
    score(*files, "--limit", "2", "--json", limited)
    assert isinstance(run("compare", zero, limited).exception, ComparisonError)
    assert isinstance(run("compare", zero, tmp_path / "none.json").exception, ReportError)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--method", "llm"], UnknownMethodError, "cllmfs"),
        (["--config", "{"], BenchOptionsError, "not JSON"),
        (["--config", "[]"], BenchOptionsError, "JSON object"),
        (["--support", "missing.conll"], ConllError, "missing.conll"),
        (["--test", "missing.conll"], ConllError, "missing.conll"),
        (["--source-adapter", "missing"], AdapterError, "missing"),
        (["--source-adapter", "shipped"], AdapterError, "No adapter ships"),
    ],
)
def test_wrong_options_are_told(
    corpus: Path, common: list[str], options: list[str], error: type[Exception], words: str
) -> None:
    result = run("score", "--test", corpus / "test.conll", *common, *options)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)


@pytest.mark.parametrize("out", ["", "missing/zero.json"])
def test_a_file_that_cannot_be_written_is_refused_before_measuring(
    corpus: Path, common: list[str], tmp_path: Path, out: str
) -> None:
    result = run("score", "--test", corpus / "test.conll", *common, "--json", tmp_path / out)
    assert result.exit_code == 2
    told = " ".join(result.output.replace("│", " ").split())  # it stands in a box
    assert ("does not exist" if out else "is a folder") in told


def test_support_files_of_other_labels_or_of_none_are_refused(
    corpus: Path, common: list[str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.conll"
    for content, words in [("Mars\tB-PLANET\n", "PLANET"), ("quiet\tO\n", "no span"), ("", "no")]:
        wrong.write_text(content)
        result = run("score", "--test", corpus / "test.conll", "--support", wrong, *common)
        assert isinstance(result.exception, ProtocolError)
        assert words in str(result.exception)
