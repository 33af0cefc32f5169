from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file
from tokenizers import Tokenizer

from model.base.convert import convert_gguf
from model.errors import BaseModelError

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.transpose(1, 2).reshape(rows, columns)


def gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, block, *part, _ = name.split(".")
    return f"blk.{block}.{NAMES['.'.join(part)]}.weight"


def write_gguf(base: Path, path: Path, *, architecture: str = "llama", pre: str = "smollm") -> None:
    config = json.loads((base / "config.json").read_text())
    bpe = json.loads((base / "tokenizer.json").read_text())["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].get)
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges([" ".join(merge) for merge in bpe["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, tensor in load_file(base / "model.safetensors").items():
        if name.endswith("q_proj.weight"):
            tensor = interleaved(tensor, config["num_attention_heads"])
        elif name.endswith("k_proj.weight"):
            tensor = interleaved(tensor, config["num_key_value_heads"])
        writer.add_tensor(gguf_name(name), tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_converted_tensors_equal_the_original_in_bf16(tiny_base: Path, tmp_path: Path) -> None:
    write_gguf(tiny_base, tmp_path / "tiny.gguf")
    done: list[tuple[int, int]] = []
    convert_gguf(tmp_path / "tiny.gguf", tmp_path, lambda *step: done.append(step))
    original = load_file(tiny_base / "model.safetensors")
    converted = load_file(tmp_path / "model.safetensors")
    assert set(converted) == set(original)
    for name, tensor in original.items():
        assert torch.equal(converted[name], tensor.to(torch.bfloat16)), name
    assert done[-1] == (len(original), len(original))


def test_config_and_tokenizer_are_rebuilt(tiny_base: Path, tmp_path: Path) -> None:
    write_gguf(tiny_base, tmp_path / "tiny.gguf")
    convert_gguf(tmp_path / "tiny.gguf", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["num_hidden_layers"] == 2
    assert config["head_dim"] == 16
    assert config["tie_word_embeddings"] is True
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    # digits stand alone in this family of tokenizers
    assert len(tokenizer.encode("1999").ids) == 4
    assert tokenizer.decode(tokenizer.encode("Anna \u00e9 \u4e2d").ids) == "Anna \u00e9 \u4e2d"


@pytest.mark.parametrize(("architecture", "pre"), [("bert", "smollm"), ("llama", "other")])
def test_another_kind_of_model_is_refused(
    tiny_base: Path, tmp_path: Path, architecture: str, pre: str
) -> None:
    write_gguf(tiny_base, tmp_path / "tiny.gguf", architecture=architecture, pre=pre)
    with pytest.raises(BaseModelError):
        convert_gguf(tmp_path / "tiny.gguf", tmp_path)
