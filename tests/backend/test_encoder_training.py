from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.base_commands import app
from backend.cli.encoder_training import SourceStageError, source_corpus
from model.base.encoder import load_encoder
from model.label_aware.method import LabelAware
from model.methods import start_adapter
from source_corpus import write_source_corpus
from tiny_encoder import write_tiny_encoder

CONLL = """\
Ann\tB-person-politician
met\tO
Ben\tB-person-politician
in\tO
Oslo\tB-location-GPE
.\tO

Eva\tB-person-politician
sang\tO
in\tO
Bonn\tB-location-GPE
.\tO
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_source_corpus(tmp_path / "data", CONLL)


def test_a_base_adapter_of_the_label_aware_method_is_trained_and_started_from(
    data: Path, tmp_path: Path
) -> None:
    base = write_tiny_encoder(tmp_path / "tiny", positions=512)
    options = ["--data", str(data), "--base", str(base), "--threads", "1", "--method"]
    command = ["train", *options, "label_aware", "--steps", "3", "--out"]
    for name in ("one", "two"):
        result = CliRunner().invoke(app, [*command, str(tmp_path / name)])
        assert result.exit_code == 0, result.output
    files = start_adapter(LabelAware(load_encoder(base, str(base))), str(tmp_path / "one"))
    assert files == start_adapter(LabelAware(load_encoder(base, str(base))), str(tmp_path / "two"))
    fresh = LabelAware(load_encoder(base, str(base))).fresh_adapter(1).files
    assert files.keys() == fresh.keys()
    assert files["heads.safetensors"] != fresh["heads.safetensors"]
    refused = CliRunner().invoke(app, ["train", *options, "tagger", "--out", str(tmp_path / "x")])
    assert isinstance(refused.exception, SourceStageError)


def test_a_source_stage_for_the_intra_like_split_reads_its_own_types_alone(data: Path) -> None:
    splits = {"intra": {"train": ["person-politician"], "dev": [], "test": ["location-GPE"]}}
    folder = data / "fewnerd_inter"
    (folder / "type_splits.json").write_text(json.dumps(splits))
    with (folder / "train.conll").open("a") as file:
        file.write("\nCyd\tB-person-politician\nsang\tO\n\nRome\tB-location-GPE\n")
    assert [item.text for item in source_corpus(data, "intra-like")] == ["Cyd sang"]
    assert len(source_corpus(data, "inter")) == 4
    with pytest.raises(SourceStageError, match="intra"):
        source_corpus(data, "intra")
