from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from model.base import network
from model.base.architecture import require_supported
from model.base.digest import tensors_digest
from model.base.load import base_folder, base_identity, load_base, read_record, verify_base
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.errors import BaseModelError
from model.spans import AnnotatedText, Label, LabelSet, Span


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


def record_anew(folder: Path) -> None:
    weights = folder / "model.safetensors"
    record = json.loads((folder / "nerloop-base.json").read_text())
    record |= {"digest": tensors_digest(weights), "bytes": weights.stat().st_size}
    (folder / "nerloop-base.json").write_text(json.dumps(record))


def configure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_weights_that_lack_a_tensor_are_refused_instead_of_filled_with_noise(copied: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    record_anew(copied)
    with pytest.raises(BaseModelError, match=r"q_proj\.weight missing"):
        load_base(copied, str(copied))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("fast", [True, False])
def test_half_precision_runs_on_a_cpu_in_what_it_multiplies_fast(
    copied: Path, monkeypatch: pytest.MonkeyPatch, kind: str, fast: bool
) -> None:
    stored = getattr(torch, kind)
    tensors = {n: t.to(stored) for n, t in load_file(copied / "model.safetensors").items()}
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    configure(copied, dtype=kind)
    record_anew(copied)
    monkeypatch.setattr(network, "fast_bf16", lambda: fast)
    assert load_base(copied, str(copied)).dtype == (torch.bfloat16 if fast else torch.float32)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama"},
        {"model_type": "qwen3", "use_sliding_window": False, "sliding_window": 4096},
        {"model_type": "qwen2", "sliding_window": 131072},
        {"model_type": "mistral", "sliding_window": None},
    ],
)
def test_networks_with_whole_attention_are_accepted(
    config: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    require_supported(tmp_path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "gpt2"}, "architecture gpt2.*llama, qwen2, qwen3, mistral"),
        ({"model_type": "mistral"}, "sliding window"),
        ({"model_type": "mistral", "sliding_window": 4096}, "sliding window"),
        ({"model_type": "qwen2", "use_sliding_window": True}, "sliding window"),
        ({"model_type": "qwen3", "layer_types": ["sliding_attention"]}, "sliding window"),
        ({}, "damaged"),
    ],
)
def test_networks_that_cannot_take_a_packed_sequence_are_refused(
    config: dict[str, object], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BaseModelError, match=reason):
        require_supported(tmp_path)


def test_a_base_of_another_architecture_is_refused_before_its_weights_are_read(
    copied: Path,
) -> None:
    configure(copied, model_type="gpt2")
    with pytest.raises(BaseModelError, match="These work: llama"):
        load_base(copied, str(copied))


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def with_gpu(monkeypatch: pytest.MonkeyPatch, *, bf16: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: bf16)


def test_a_device_that_is_not_there_is_told(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_gpu(monkeypatch)
    with pytest.raises(BaseModelError, match="no GPU"):
        load_base(tiny_base, str(tiny_base), device="cuda")
    with pytest.raises(BaseModelError, match="cpu and cuda"):
        load_base(tiny_base, str(tiny_base), device="mps")
    with pytest.raises(BaseModelError, match="need a GPU"):
        load_base(tiny_base, str(tiny_base), quantise="4bit")


def test_4_bit_weights_without_bitsandbytes_name_what_to_install(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, bf16=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BaseModelError, match=r"pip install 'nerloop\[gpu\]'"):
        load_base(tiny_base, str(tiny_base), quantise="4bit")


@pytest.mark.parametrize("bf16", [True, False])
@pytest.mark.parametrize("suffix", ["", "+4bit"])
def test_a_quantised_base_is_asked_for_in_4_bits_and_has_a_digest_of_its_own(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool, suffix: str
) -> None:
    plain = load_base(tiny_base, str(tiny_base), device="cpu")
    asked: dict[str, object] = {}

    def from_pretrained(_folder: Path, **options: object) -> tuple[object, dict[str, object]]:
        asked.update(options)
        return plain.model, {"missing_keys": set()}

    with_gpu(monkeypatch, bf16=bf16)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    base = load_base(tiny_base, f"{tiny_base}{suffix}", quantise=None if suffix else "4bit")
    kind = torch.bfloat16 if bf16 else torch.float16
    assert asked["dtype"] == kind
    assert asked["device_map"] == {"": "cuda"}
    described = asked["quantization_config"]
    assert isinstance(described, BitsAndBytesConfig)
    assert described.to_dict()["bnb_4bit_quant_type"] == "nf4"
    assert base.name == "tiny+4bit"
    assert base.digest != plain.digest
    assert base_identity(tiny_base, f"{tiny_base}+4bit") == (base.name, base.digest)
    assert base_identity(tiny_base, str(tiny_base)) == ("tiny", plain.digest)


def test_the_wish_for_4_bits_does_not_change_the_folder(tmp_path: Path) -> None:
    assert base_folder(tmp_path, "llama-2-7b+4bit") == tmp_path / "base" / "llama-2-7b"
    assert base_folder(tmp_path, "own/model+4bit") == Path("own/model")


def sentencepiece_like(folder: Path) -> None:
    """A BPE that writes blanks as U+2581 and puts one in front, as LLaMA 2's does."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    specials = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=specials, show_progress=False)
    lines = ["Text: Anna met Ben in Oslo. none << Anna >> << Ben >> none" for _ in range(20)]
    tokenizer.train_from_iterator([word for line in lines for word in line.split()], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


def test_a_base_whose_tokenizer_adds_blanks_learns_and_finds_exact_spans(copied: Path) -> None:
    sentencepiece_like(copied)
    raw = Tokenizer.from_file(str(copied / "tokenizer.json"))
    assert raw.decode(raw.encode("Anna", add_special_tokens=False).ids).startswith(" ")
    config = replace(
        CllmfsConfig(), rank=4, rate=1e-2, max_steps=80, min_steps=80, dropout=0.0, pull=0.0
    )
    method = Cllmfs(load_base(copied, str(copied)), config)
    labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
    support = [
        AnnotatedText("Anna met Ben.\nIn Oslo!", (Span(0, 4, "PER"), Span(9, 12, "PER"))),
        AnnotatedText("\u6771\u4eac: Anna", (Span(0, 2, "LOC"), Span(4, 8, "PER"))),
    ]
    start = method.fresh_adapter(seed=0).files
    method.load("a", method.fit(support, labels, start=start, seed=1).files)
    found = method.predict([item.text for item in support], labels, adapter="a")
    for item, prediction in zip(support, found, strict=True):
        assert {span.key for span in prediction.spans} == {span.key for span in item.spans}
