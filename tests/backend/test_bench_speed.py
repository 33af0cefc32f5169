from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli import bench_train
from backend.cli.bench_commands import app
from backend.cli.bench_options import told_options
from backend.cli.bench_request import BenchOptionsError
from backend.cli.bench_speed import SpeedPageError
from model.base.load import load_base
from model.cllmfs import speed
from model.cllmfs.config import CllmfsConfig, ConfigError
from model.cllmfs.method import Cllmfs
from model.evaluation.measurement import chosen
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet

# peft reads an attribute that transformers is about to rename
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

TEST = "Ann\tB-PER\nsang\tO\n\nOslo\tB-LOC\nis\tO\ncold\tO\n\nquiet\tO\n\nBen\tB-PER\nsang\tO\n"
CONFIG = '{"max_steps": 2, "min_steps": 2}'


@pytest.fixture
def options(
    tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Everything but the file with the texts, ``test.conll`` in the test's folder."""
    (tmp_path / "test.conll").write_text(TEST)
    (tmp_path / "labels.json").write_text('{"types": {"PER": "person", "LOC": "place"}}')
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name, content in tiny_adapter.items():
        (adapter / name).write_bytes(content)

    def quick(*_arguments: Any, **_options: Any) -> float:
        return 2e9

    monkeypatch.setattr(speed, "matrix_rate", quick)
    base = ["--base", str(tiny_base), "--home", str(tmp_path), "--threads", "1"]
    return [*base, "--source-adapter", str(adapter), "--config", CONFIG]


def measured(command: str, tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(app, [command, *arguments, "--json", str(out)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    value: dict[str, Any] = json.loads(out.read_text())
    return value, result.output


def test_predict_tells_the_ratio_and_the_floor(options: list[str], tmp_path: Path) -> None:
    test = str(tmp_path / "test.conll")
    chosen = ["--limit", "3", "--baseline-limit", "2", "--lean-limit", "1"]
    value, told = measured("predict", tmp_path, "--test", test, *chosen, *options)
    ours, floor = value["ours"], value["floor"]
    assert (value["sentences"], value["labels"]) == (3, 2)
    assert [value[name]["sentences"] for name in ("published", "lean")] == [2, 1]
    assert value["published"]["beams"] == 4
    each = ours["seconds"] / 3
    assert value["ratio_published"] == pytest.approx(value["published"]["seconds"] / 2 / each)
    # two blocks: q and o 64 x 64, k and v 64 x 32, gate, up and down 64 x 128
    assert floor["block_parameters"] == 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128)
    assert floor["tokens"] >= floor["prompt_tokens"] > 0
    assert floor["seconds"] == pytest.approx(2 * floor["tokens"] * floor["block_parameters"] / 2e9)
    assert floor["times"] == pytest.approx(ours["seconds"] / floor["seconds"])
    assert len(ours["seconds_all"]) == 3
    assert sorted(ours["seconds_all"])[1] == ours["seconds"]
    assert value["latency_ms"]["requests"] == 20
    assert f"{value['ratio_published']:.1f}" in told
    assert f"{floor['times']:.2f} times the floor" in told


def test_drawn_sentences_are_those_of_bench_score(options: list[str], tmp_path: Path) -> None:
    """Seed 1 draws the first and the third of three sentences, and the third is the longest."""
    (tmp_path / "test.conll").write_text("a\tO\n\nb\tO\n\nquite\tO\na\tO\nfew\tO\nwords\tO\n")
    assert chosen(3, 2, 1) == [0, 2]
    common = ["--test", str(tmp_path / "test.conll"), "--limit", "2", "--baseline-limit", "0"]
    first, _ = measured("predict", tmp_path, *common, *options)
    drawn, _ = measured("predict", tmp_path, *common, "--drawn", *options)
    assert "published" not in first
    assert "ratio_published" not in first
    assert first["floor"]["prompt_tokens"] < drawn["floor"]["prompt_tokens"]


def test_train_times_the_same_texts_in_both_forms(options: list[str], tmp_path: Path) -> None:
    support = str(tmp_path / "test.conll")
    value, told = measured("train", tmp_path, "--support", support, "--steps", "2", *options)
    packed, rows, fit = (value[name] for name in ("packed", "rows", "fit"))
    assert (packed["texts_per_step"], packed["rows_per_step"], rows["rows_per_step"]) == (4, 4, 8)
    assert packed["tokens_per_step"] < rows["tokens_per_step"]
    assert rows["number_type"] == "float32"
    assert packed["config"]["dropout"] == rows["config"]["dropout"] == 0.0
    # the same answers of the same texts, whatever the layout
    assert packed["first_loss"] == pytest.approx(rows["first_loss"], rel=0.02)
    assert value["first_losses_agree"] is True
    each = packed["seconds_all"][1]
    assert packed["seconds_per_step"] == each
    assert value["ratio"] == pytest.approx(rows["seconds_per_step"] / each)
    assert packed["share_of_rate"] == pytest.approx(
        4 * packed["tokens_per_step"] * packed["block_parameters"] / packed["rate"] / each
    )
    assert (fit["steps"], fit["texts"]) == (2, 4)
    assert fit["config"]["dropout"] == CllmfsConfig().dropout
    assert all(part["peak_rss_mb"] > 100 for part in (packed, rows, fit))
    assert f"{value['ratio']:.1f} times faster" in told


def test_batches_hold_every_text_before_any_comes_again(tmp_path: Path, tiny_base: Path) -> None:
    request = bench_train.TrainRequest(tmp_path, None, 2, 1, "", "", "{}", tmp_path)
    labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
    items = [AnnotatedText(f"{letter} sang", ()) for letter in "abcd"]
    method = Cllmfs(load_base(tiny_base, str(tiny_base)))
    config = CllmfsConfig()
    packed = bench_train.training_steps(method, config, items, labels, request)
    assert [len(step) for step in packed] == [4, 4]
    for step in packed:
        assert len({row.pack.ids for row in step}) == 4


def test_the_page_holds_the_measured_figures(options: list[str], tmp_path: Path) -> None:
    texts = str(tmp_path / "test.conll")
    limits = ["--baseline-limit", "1", "--lean-limit", "0"]
    predicted, _ = measured("predict", tmp_path, "--test", texts, *limits, *options)
    (tmp_path / "predict.json").write_text(json.dumps(predicted))
    trained, _ = measured("train", tmp_path, "--support", texts, "--steps", "2", *options)
    (tmp_path / "train.json").write_text(json.dumps(trained))
    files = ["--predict", str(tmp_path / "predict.json"), "--train", str(tmp_path / "train.json")]
    page = tmp_path / "speed.md"
    result = CliRunner().invoke(app, ["speed", *files, "--page", str(page)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    text = page.read_text()
    assert f"| {predicted['floor']['times']:.2f} |" in text
    assert f"| {predicted['ratio_published']:.0f} |" in text
    assert "| published, lean |" not in text
    commands = text.replace(" \\\n    ", " ")
    assert f"nerloop bench predict --test {texts} --limit 100" in commands
    assert "--baseline-limit 1" in commands
    assert "--lean-limit 0" in commands
    assert f"nerloop bench train --support {texts} --steps 2" in commands
    assert f"--config '{CONFIG}'" in commands
    assert f"{trained['ratio']:.1f} times faster" in text
    assert json.loads((tmp_path / "speed.json").read_text()) == {
        "predict": predicted,
        "train": trained,
    }
    del predicted["options"]
    (tmp_path / "predict.json").write_text(json.dumps(predicted))
    result = CliRunner().invoke(app, ["speed", *files, "--page", str(page)])
    assert isinstance(result.exception, SpeedPageError)
    swapped = [files[0], files[3], files[2], files[1], "--page", str(page)]
    result = CliRunner().invoke(app, ["speed", *swapped])
    assert isinstance(result.exception, SpeedPageError)


@pytest.mark.parametrize(("command", "file"), [("predict", "--test"), ("train", "--support")])
def test_wrong_settings_are_told_before_anything_starts(
    command: str, file: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(*_arguments: Any, **_options: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(bench_train, "ProcessPoolExecutor", no_process)
    texts = [command, file, str(tmp_path / "test.conll"), *options]
    errors = {"{": BenchOptionsError, "[]": BenchOptionsError, '{"no": 1}': ConfigError}
    for config, error in errors.items():
        result = CliRunner().invoke(app, [*texts, "--config", config])
        assert isinstance(result.exception, error), config


def test_told_options_can_be_typed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NERLOOP_DATA", str(tmp_path))
    known = [("--test", tmp_path / "a b" / "t.conll", None), ("--labels", None, None)]
    assert told_options([*known, ("--threads", 2, 2), ("--config", '{"a": 1}', "{}")]) == [
        "--test $NERLOOP_DATA/'a b/t.conll'",
        "--config '{\"a\": 1}'",
    ]
