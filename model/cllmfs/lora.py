"""LoRA adapters: put on a base model, taken off, written to files and read from files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from model.cllmfs.config import ALL_LINEAR
from model.errors import AdapterError
from model.method import AdapterFiles

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"
ORIGIN_FILE = "nerloop.json"
METHOD = "cllmfs"
MAX_RANK = 16

# The whole of an adapter_config.json: keys with one allowed value, and the free ones.
_FIXED: dict[str, Any] = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "bias": "none",
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "modules_to_save": None,
    "use_dora": False,
    "use_rslora": False,
}
_FREE = ("base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "target_modules")


@dataclass(frozen=True, slots=True)
class LoraShape:
    """What must be known to put a LoRA on a model.

    Attributes:
        rank: 1 to 16.
        alpha: The update is multiplied by alpha / rank.
        modules: Names of the linear layers, sorted.
    """

    rank: int
    alpha: int
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A parsed adapter.

    Attributes:
        shape: Rank, scale and layers.
        tensors: A and B matrices under peft's names.
        origin: The content of ``nerloop.json``.
    """

    shape: LoraShape
    tensors: dict[str, Tensor]
    origin: dict[str, Any]


def to_files(adapter: Adapter, base: str) -> AdapterFiles:
    """Write an adapter as the three files of a standard LoRA, weights in bf16.

    Args:
        adapter: The adapter.
        base: Name of the base model, for readers of ``adapter_config.json``.
    """
    shape = adapter.shape
    config = {
        **_FIXED,
        "base_model_name_or_path": base,
        "r": shape.rank,
        "lora_alpha": shape.alpha,
        "lora_dropout": 0.0,
        "target_modules": list(shape.modules),
    }
    tensors = {
        name: adapter.tensors[name].to("cpu", torch.bfloat16).contiguous()
        for name in sorted(adapter.tensors)
    }
    return {
        WEIGHTS_FILE: save_tensors(tensors),
        CONFIG_FILE: _json_bytes(config),
        ORIGIN_FILE: _json_bytes(adapter.origin),
    }


def from_files(files: AdapterFiles, base_digest: str) -> Adapter:
    """Read what :func:`to_files` wrote; nothing but the allowed keys and values is accepted.

    Raises:
        AdapterError: If a file is missing or damaged, or the adapter is for another base model.
    """
    missing = [name for name in (WEIGHTS_FILE, CONFIG_FILE, ORIGIN_FILE) if name not in files]
    if missing:
        raise AdapterError(f"The adapter lacks {', '.join(missing)}.")
    try:
        config = json.loads(files[CONFIG_FILE])
        origin = json.loads(files[ORIGIN_FILE])
        tensors = load_tensors(files[WEIGHTS_FILE])
    except (ValueError, SafetensorError) as error:
        raise AdapterError(f"The adapter's files are damaged: {error}") from error
    if not isinstance(config, dict) or not isinstance(origin, dict):
        raise AdapterError("The adapter's JSON files do not hold objects.")
    if origin.get("method") != METHOD:
        raise AdapterError(f"This adapter is for method {origin.get('method')!r}, not {METHOD!r}.")
    if origin.get("base_digest") != base_digest:
        raise AdapterError(
            f"The adapter was made for base model {origin.get('base')} with digest "
            f"{origin.get('base_digest')}, but the base in use has digest {base_digest}."
        )
    return Adapter(_shape(config), tensors, origin)


def attach(model: nn.Module, name: str, shape: LoraShape) -> None:
    """Put a fresh LoRA (B = 0) on a model's linear layers; it is not active yet."""
    config = LoraConfig(
        r=shape.rank, lora_alpha=shape.alpha, target_modules=list(shape.modules), bias="none"
    )
    # peft leaves its bookkeeping on the model and warns about it when the next LoRA comes.
    model.__dict__.pop("peft_config", None)
    inject_adapter_in_model(config, model, adapter_name=name)


def detach(model: nn.Module, name: str) -> None:
    """Take a LoRA off a model; an unknown name is ignored."""
    for _, layer in _layers(model):
        if name in layer.lora_A:
            others = [other for other in layer.lora_A if other != name]
            if others and name in layer.active_adapters:
                layer.set_adapter(others[0])  # peft would choose one too, with a warning
            layer.delete_adapter(name)


def activate(model: nn.Module, name: str, *, dropout: float = 0.0) -> None:
    """Make one LoRA the only active one, with a dropout that acts in training mode alone."""
    for _, layer in _layers(model):
        layer.set_adapter(name)
        if name in layer.lora_dropout:
            layer.lora_dropout[name] = nn.Dropout(dropout) if dropout else nn.Identity()


def matrices(model: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """The A and B matrices of one LoRA under peft's names, in a fixed order."""
    found = {}
    for path, layer in _layers(model):
        if name in layer.lora_A:
            found[f"base_model.model.{path}.lora_A.weight"] = layer.lora_A[name].weight
            found[f"base_model.model.{path}.lora_B.weight"] = layer.lora_B[name].weight
    return found


def write_matrices(model: nn.Module, name: str, tensors: dict[str, Tensor]) -> None:
    """Copy tensors into a LoRA that is on the model.

    Raises:
        AdapterError: If names or shapes do not fit, or a value is not finite.
    """
    own = matrices(model, name)
    if set(own) != set(tensors):
        raise AdapterError("The adapter's matrices do not belong to the layers of this base model.")
    for key, parameter in own.items():
        tensor = tensors[key]
        if tensor.shape != parameter.shape or not tensor.is_floating_point():
            raise AdapterError(f"The adapter's matrix {key} has the wrong shape or type.")
        if not bool(torch.isfinite(tensor).all()):
            raise AdapterError(f"The adapter's matrix {key} holds values that are not finite.")
        parameter.data = tensor.to(parameter.device, parameter.dtype, copy=True)


def _layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for path, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield path, module


def _json_bytes(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _shape(config: dict[str, Any]) -> LoraShape:
    unknown = sorted(set(config) - set(_FIXED) - set(_FREE))
    wrong = sorted(key for key, value in _FIXED.items() if config.get(key) != value)
    if unknown or wrong:
        raise AdapterError(
            f"{CONFIG_FILE} is not a plain LoRA's: unexpected {', '.join(unknown + wrong)}."
        )
    rank, alpha, modules = (config.get(key) for key in ("r", "lora_alpha", "target_modules"))
    if not isinstance(rank, int) or not 1 <= rank <= MAX_RANK:
        raise AdapterError(f"{CONFIG_FILE} asks for rank {rank}; 1 to {MAX_RANK} is served.")
    if not isinstance(alpha, int) or alpha <= 0:
        raise AdapterError(f"{CONFIG_FILE} has no usable lora_alpha.")
    if not isinstance(modules, list) or not modules or not set(modules) <= set(ALL_LINEAR):
        raise AdapterError(f"{CONFIG_FILE} names layers that are not served: {modules}.")
    return LoraShape(rank, alpha, tuple(sorted(modules)))
