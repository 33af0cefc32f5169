"""A Llama model in GGUF, the 4-bit file format, becomes safetensors, a config and a tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import BaseModelError

if TYPE_CHECKING:
    import torch
    from gguf import GGUFReader

_CONTROL_TOKEN = 3
_BLOCK_PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTER_PARTS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def convert_gguf(
    source: Path, folder: Path, on_tensor: Callable[[int, int], None] | None = None
) -> None:
    """Dequantise a Llama GGUF file once.

    Writes ``model.safetensors`` (bf16), ``config.json`` and ``tokenizer.json``.

    Args:
        source: The GGUF file.
        folder: An existing folder.
        on_tensor: Called with (tensors done, tensors in all).

    Raises:
        BaseModelError: If the file is no Llama model with tied embeddings and a byte-level BPE.
    """
    from gguf import GGUFReader
    from safetensors.torch import save_file

    reader = GGUFReader(source)
    if _field(reader, "general.architecture") != "llama":
        raise BaseModelError(f"{source.name} does not hold a Llama model.")
    tensors: dict[str, torch.Tensor] = {}
    for done, tensor in enumerate(reader.tensors, start=1):
        name, value = _dequantised(reader, tensor)
        tensors[name] = value
        if on_tensor is not None:
            on_tensor(done, len(reader.tensors))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.dumps(_config(reader), indent=2, sort_keys=True)
    (folder / "config.json").write_text(config + "\n", encoding="utf-8")
    _write_tokenizer(reader, folder / "tokenizer.json")


def _field(reader: GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise BaseModelError(f"The GGUF file has no field {key}.")
    return field.contents()


def _dequantised(reader: GGUFReader, tensor: Any) -> tuple[str, torch.Tensor]:
    import torch
    from gguf import dequantize

    value = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
    parts = tensor.name.split(".")
    if parts[0] == "blk" and parts[2] in _BLOCK_PARTS:
        name = f"model.layers.{parts[1]}.{_BLOCK_PARTS[parts[2]]}.weight"
        if parts[2] == "attn_q":
            value = _unpermuted(value, _field(reader, "llama.attention.head_count"))
        elif parts[2] == "attn_k":
            value = _unpermuted(value, _field(reader, "llama.attention.head_count_kv"))
    elif parts[0] in _OUTER_PARTS:
        name = f"{_OUTER_PARTS[parts[0]]}.weight"
    else:
        raise BaseModelError(f"The GGUF file holds a tensor nerloop does not know: {tensor.name}.")
    return name, value.to(torch.bfloat16).contiguous()


def _unpermuted(weight: torch.Tensor, heads: int) -> torch.Tensor:
    # GGUF interleaves the two rotary halves of each head; transformers keeps them side by side.
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)


def _config(reader: GGUFReader) -> dict[str, Any]:
    width = _field(reader, "llama.embedding_length")
    heads = _field(reader, "llama.attention.head_count")
    theta = float(_field(reader, "llama.rope.freq_base"))
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "bos_token_id": _field(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _field(reader, "tokenizer.ggml.eos_token_id"),
        "head_dim": width // heads,
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": _field(reader, "llama.feed_forward_length"),
        "max_position_embeddings": _field(reader, "llama.context_length"),
        "mlp_bias": False,
        "num_attention_heads": heads,
        "num_hidden_layers": _field(reader, "llama.block_count"),
        "num_key_value_heads": _field(reader, "llama.attention.head_count_kv"),
        "rms_norm_eps": float(f"{_field(reader, 'llama.attention.layer_norm_rms_epsilon'):.6g}"),
        # Both spellings: transformers 4 reads the first, transformers 5 the second.
        "rope_theta": theta,
        "rope_parameters": {"rope_theta": theta, "rope_type": "default"},
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "vocab_size": len(_field(reader, "tokenizer.ggml.tokens")),
    }


def _write_tokenizer(reader: GGUFReader, path: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    if (_field(reader, "tokenizer.ggml.model"), _field(reader, "tokenizer.ggml.pre")) != (
        "gpt2",
        "smollm",
    ):
        raise BaseModelError("The GGUF file's tokenizer is not the byte-level BPE of SmolLM.")
    tokens: list[str] = _field(reader, "tokenizer.ggml.tokens")
    kinds: list[int] = _field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in _field(reader, "tokenizer.ggml.merges")]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    tokenizer.save(str(path))
