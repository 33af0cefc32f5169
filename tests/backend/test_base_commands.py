from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backend.cli.base_commands import CHECKPOINT_FILE, app
from backend.cli.bench_commands import app as bench
from model.base.catalogue import ENTRIES
from model.base.load import load_base
from model.cllmfs.checkpoint import Checkpoint, CheckpointError
from model.errors import BaseModelError
from model.method import AdapterFiles
from source_corpus import write_source_corpus

CONLL = """Anna\tB-person-politician
Smith\tI-person-politician
went\tO
to\tO
Oslo\tB-location-GPE
.\tO

She\tO
saw\tO
Paris\tB-location-GPE
.\tO
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_source_corpus(tmp_path / "data", CONLL)


def test_the_list_shows_every_base_and_what_is_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["list", "--home", str(tmp_path)], env={"COLUMNS": "260"})
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    for name, entry in ENTRIES.items():
        assert entry.licence in lines[name]
        assert entry.digest_text in lines[name]
    assert "on first fetch" in lines["llama-2-7b"]


def test_errors_reach_the_command_line_as_ours(tmp_path: Path) -> None:
    verified = CliRunner().invoke(app, ["verify", "--home", str(tmp_path)])
    assert isinstance(verified.exception, BaseModelError)
    fetched = CliRunner().invoke(app, ["fetch", "nothing", "--home", str(tmp_path)])
    assert isinstance(fetched.exception, BaseModelError)


def test_verify_tells_the_digest(tiny_base: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(tiny_base, tmp_path / "tiny")
    result = CliRunner().invoke(app, ["verify", str(copied), "--home", str(tmp_path)])
    assert result.exit_code == 0
    assert json.loads((copied / "nerloop-base.json").read_text())["digest"] in result.output


def test_a_folder_of_ones_own_is_recorded_and_then_sound(tiny_base: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(tiny_base, tmp_path / "mine"))
    before = json.loads((copied / "nerloop-base.json").read_text())
    (copied / "nerloop-base.json").unlink()
    result = CliRunner().invoke(app, ["record", str(copied)])
    assert result.exit_code == 0
    assert before["digest"] in result.output
    assert load_base(tmp_path, str(copied), verify=True).name == "mine"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_not_recorded(
    tiny_base: Path, tmp_path: Path, name: str
) -> None:
    copied = Path(shutil.copytree(tiny_base, tmp_path / "mine"))
    (copied / "nerloop-base.json").unlink()
    (copied / name).unlink()
    result = CliRunner().invoke(app, ["record", str(copied)])
    assert isinstance(result.exception, BaseModelError)
    assert name in str(result.exception)
    assert not (copied / "nerloop-base.json").exists()


def test_a_folder_of_another_architecture_is_not_recorded(tiny_base: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(tiny_base, tmp_path / "mine"))
    (copied / "nerloop-base.json").unlink()
    (copied / "config.json").write_text('{"model_type": "gpt2"}')
    result = CliRunner().invoke(app, ["record", str(copied)])
    assert isinstance(result.exception, BaseModelError)
    assert not (copied / "nerloop-base.json").exists()


def test_a_base_adapter_is_trained_and_scored(
    tiny_base: Path, tiny_adapter: AdapterFiles, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    common = ["--base", str(tiny_base), "--home", str(tmp_path), "--threads", "1"]
    trained = CliRunner().invoke(
        app, ["train", "--data", str(data), "--out", str(out), "--steps", "2", *common]
    )
    assert trained.exit_code == 0, trained.output
    assert {path.name for path in out.iterdir()} == set(tiny_adapter)
    figures = tmp_path / "figures.json"
    source = data / "fewnerd_inter"
    files = ["--test", str(source / "train.conll"), "--labels", str(source / "labels.json")]
    scored = CliRunner().invoke(
        bench,
        [
            "score",
            *files,
            "--present-only",
            "--source-adapter",
            str(out),
            "--json",
            str(figures),
            *common,
        ],
    )
    assert scored.exit_code == 0, scored.output
    (found,) = json.loads(figures.read_text())["runs"]
    assert found["texts"] == 2
    assert found["per_label"]["location-GPE"]["gold"] == 2
    assert 0.0 <= found["f1"] <= 1.0


def test_a_training_that_was_stopped_goes_on_and_another_one_is_refused(
    tiny_base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--base", str(tiny_base), "--home", str(tmp_path), "--steps", "3", "--threads", "1"]

    def train(out: str, *more: str) -> Result:
        command = ["train", "--data", str(data), "--out", str(tmp_path / out), *options, *more]
        return CliRunner().invoke(app, command)

    whole = train("whole")
    assert whole.exit_code == 0, whole.output
    save = Checkpoint.save

    def saved_and_stopped(self: Checkpoint, *state: Any) -> None:
        save(self, *state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", saved_and_stopped)
        train("parts")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [CHECKPOINT_FILE]
    other = train("parts", "--seed", "2")
    assert isinstance(other.exception, CheckpointError)
    assert "another seed" in str(other.exception)
    assert train("parts").exit_code == 0
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "parts" / path.name).read_bytes()
    assert not (tmp_path / "parts" / CHECKPOINT_FILE).exists()
