from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.base.digest import tensors_digest
from model.base.load import load_base, read_record, verify_base
from model.errors import BaseModelError


@pytest.fixture
def copied(tiny_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "copied"))


def test_the_digest_does_not_depend_on_the_order_in_the_file(tmp_path: Path) -> None:
    first, second = torch.arange(6.0).reshape(2, 3), torch.ones(4, dtype=torch.bfloat16)
    save_file({"a": first, "b": second}, tmp_path / "one", metadata={"k": "v"})
    save_file({"b": second, "a": first}, tmp_path / "two")
    assert tensors_digest(tmp_path / "one") == tensors_digest(tmp_path / "two")


@pytest.mark.parametrize(
    "changed",
    [
        {"a": torch.arange(6.0).reshape(3, 2)},
        {"b": torch.arange(6.0).reshape(2, 3)},
        {"a": torch.arange(6.0, dtype=torch.float64).reshape(2, 3)},
        {"a": torch.arange(6.0).reshape(2, 3) + 1},
    ],
)
def test_name_shape_type_and_values_all_count(
    changed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_file({"a": torch.arange(6.0).reshape(2, 3)}, tmp_path / "one")
    save_file(changed, tmp_path / "two")
    assert tensors_digest(tmp_path / "one") != tensors_digest(tmp_path / "two")


def test_a_folder_is_loaded_frozen_with_its_recorded_digest(tiny_base: Path) -> None:
    base = load_base(tiny_base, str(tiny_base))
    assert base.digest == tensors_digest(tiny_base / "model.safetensors")
    assert base.blocks == 2
    assert base.output_weight.shape[1] == 64
    assert not base.model.training
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    text = "Any text, \u4e2d\u6587, \U0001f600 even."
    assert base.tokenizer.decode(base.tokenizer.encode(text).ids) == text


def test_a_file_of_another_size_is_refused_at_once(copied: Path) -> None:
    with (copied / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BaseModelError, match="not those that were fetched"):
        load_base(copied, str(copied))


def test_changed_weights_of_the_same_size_are_found_by_verify(copied: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name] = tensors[name] + 1
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    record = json.loads((copied / "nerloop-base.json").read_text())
    assert (copied / "model.safetensors").stat().st_size == record["bytes"]
    load_base(copied, str(copied))
    with pytest.raises(BaseModelError, match="digest"):
        verify_base(copied)
    with pytest.raises(BaseModelError, match="digest"):
        load_base(copied, str(copied), verify=True)


def test_a_catalogue_name_must_have_the_catalogue_digest(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    copied.rename(tmp_path / "base" / "smollm2-135m-q4")
    with pytest.raises(BaseModelError, match="is expected"):
        load_base(tmp_path, "smollm2-135m-q4")


def test_a_missing_base_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="nerloop base fetch"):
        load_base(tmp_path, "smollm2-135m-q4")


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "x"}'])
def test_a_damaged_record_is_told(copied: Path, content: str) -> None:
    (copied / "nerloop-base.json").write_text(content)
    with pytest.raises(BaseModelError, match="damaged"):
        read_record(copied)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_file_is_an_error_of_ours(copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"\xff\xff\xff\xff\xff\xff\xff\xff broken")
    record = json.loads((copied / "nerloop-base.json").read_text())
    record["bytes"] = (copied / "model.safetensors").stat().st_size
    (copied / "nerloop-base.json").write_text(json.dumps(record))
    with pytest.raises(BaseModelError):
        load_base(copied, str(copied))
