from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig, ConfigError, contrast_block
from model.cllmfs.lora import CONFIG_FILE, ORIGIN_FILE, WEIGHTS_FILE, from_files, to_files
from model.cllmfs.method import Cllmfs
from model.cllmfs.shipped import shipped_adapter
from model.cllmfs.training import rate_share
from model.errors import AdapterError
from model.method import AdapterFiles

DEFAULT_DIGEST = "4b5a9c9081ad56b2712fcd8e4a8e3408b437cf96739250bc09b5175fe471d069"


def with_config(files: AdapterFiles, **changes: Any) -> dict[str, bytes]:
    config = {**json.loads(files[CONFIG_FILE]), **changes}
    return {**files, CONFIG_FILE: json.dumps(config).encode()}


def digest_of(files: AdapterFiles) -> str:
    return str(json.loads(files[ORIGIN_FILE])["base_digest"])


def test_files_are_read_back_and_written_the_same(tiny_adapter: AdapterFiles) -> None:
    adapter = from_files(tiny_adapter, digest_of(tiny_adapter))
    assert adapter.shape.rank == 4
    assert to_files(adapter, json.loads(tiny_adapter[CONFIG_FILE])["base_model_name_or_path"]) == (
        tiny_adapter
    )
    assert {tensor.dtype for tensor in adapter.tensors.values()} == {torch.bfloat16}


@pytest.mark.parametrize(
    "changes",
    [
        {"r": 17},
        {"r": 0},
        {"r": "4"},
        {"lora_alpha": 0},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": []},
        {"target_modules": "all-linear"},
        {"bias": "all"},
        {"use_dora": True},
        {"modules_to_save": ["lm_head"]},
        {"auto_mapping": {"base_model_class": "os.system"}},
        {"peft_type": "IA3"},
    ],
)
def test_a_config_outside_the_allow_list_is_refused(
    tiny_adapter: AdapterFiles, changes: dict[str, Any]
) -> None:
    with pytest.raises(AdapterError):
        from_files(with_config(tiny_adapter, **changes), digest_of(tiny_adapter))


@pytest.mark.parametrize("name", [WEIGHTS_FILE, CONFIG_FILE, ORIGIN_FILE])
def test_missing_and_damaged_files_are_refused(tiny_adapter: AdapterFiles, name: str) -> None:
    digest = digest_of(tiny_adapter)
    with pytest.raises(AdapterError, match=name):
        from_files({key: value for key, value in tiny_adapter.items() if key != name}, digest)
    with pytest.raises(AdapterError):
        from_files({**tiny_adapter, name: b"\x00\xff garbage"}, digest)


def test_an_adapter_of_another_base_or_method_is_refused(tiny_adapter: AdapterFiles) -> None:
    with pytest.raises(AdapterError, match="digest"):
        from_files(tiny_adapter, "0" * 64)
    origin = {**json.loads(tiny_adapter[ORIGIN_FILE]), "method": "label_aware"}
    changed = {**tiny_adapter, ORIGIN_FILE: json.dumps(origin).encode()}
    with pytest.raises(AdapterError, match="label_aware"):
        from_files(changed, digest_of(tiny_adapter))


@pytest.mark.parametrize("change", ["missing", "shape", "nan", "integers"])
def test_wrong_matrices_are_refused_and_leave_nothing_behind(
    tiny_base: Path, tiny_adapter: AdapterFiles, change: str
) -> None:
    tensors = load(tiny_adapter[WEIGHTS_FILE])
    name = sorted(tensors)[0]
    if change == "missing":
        del tensors[name]
    elif change == "shape":
        tensors[name] = tensors[name][:1].contiguous()
    elif change == "nan":
        tensors[name][0, 0] = float("nan")
    else:
        tensors[name] = tensors[name].to(torch.int8)
    method = Cllmfs(load_base(tiny_base, str(tiny_base)))
    with pytest.raises(AdapterError):
        method.load("bad", {**tiny_adapter, WEIGHTS_FILE: save(tensors)})
    method.load("bad", tiny_adapter)


@pytest.mark.parametrize(
    ("blocks", "expected"), [(32, 26), (30, 24), (28, 23), (24, 20), (16, 13), (12, 10), (1, 1)]
)
def test_contrast_block(blocks: int, expected: int) -> None:
    assert contrast_block(blocks, 0.8125) == expected


def test_settings_are_checked_and_read_back() -> None:
    config = CllmfsConfig(rank=8, modules=("q_proj", "v_proj"), noise="uniform")
    assert CllmfsConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    for wrong in ({"rank": 17}, {"rate": 0}, {"modules": ()}, {"dropout": 1.0}, {"batch": 0}):
        with pytest.raises(ConfigError):
            CllmfsConfig.from_json({**config.to_json(), **wrong})
    with pytest.raises(ConfigError, match="colour"):
        CllmfsConfig.from_json({"colour": "red"})


def test_the_rate_rises_and_falls() -> None:
    """10 steps, 2 of warm-up: 1/2, 1, then 8/9, 7/9 ... 1/9."""
    shares = [rate_share(step, 10, 0.2) for step in range(1, 11)]
    assert shares == pytest.approx([1 / 2, 1.0, *(n / 9 for n in range(8, 0, -1))])
    assert rate_share(1, 1, 1.0) == 1.0


def test_the_shipped_adapter_fits_its_base_and_its_size_limit() -> None:
    folder = shipped_adapter(DEFAULT_DIGEST)
    assert folder is not None
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    adapter = from_files(files, DEFAULT_DIGEST)
    assert adapter.shape.rank <= 16
    assert sum(map(len, files.values())) <= 10_000_000
    assert {"MODEL_CARD.md", "LICENSE"} <= set(files)
    assert "CC BY-SA 4.0" in files["LICENSE"].decode()
    assert all(bool(torch.isfinite(tensor).all()) for tensor in adapter.tensors.values())


def test_no_adapter_ships_for_an_unknown_base() -> None:
    assert shipped_adapter("0" * 64) is None
