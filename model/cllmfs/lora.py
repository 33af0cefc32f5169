"""LoRA adapters as files: what is written, what is accepted when they are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from transformers import AutoModelForCausalLM, PretrainedConfig

from model.cllmfs.config import ALL_LINEAR
from model.errors import AdapterError
from model.method import AdapterFiles

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"
ORIGIN_FILE = "nerloop.json"
METHOD = "cllmfs"
MAX_RANK = 16
_NAME = "matrices"

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


def with_calibration(files: AdapterFiles, calibration: dict[str, Any]) -> AdapterFiles:
    """The files of an adapter with a calibration in its ``nerloop.json``."""
    origin = {**json.loads(files[ORIGIN_FILE]), "calibration": calibration}
    return {**files, ORIGIN_FILE: _json_bytes(origin)}


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


def expected_matrices(config: PretrainedConfig, shape: LoraShape) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the A and B matrices that peft puts on a base model, in its order.

    Args:
        config: Configuration of the base model; no weights are made.
        shape: The LoRA.
    """
    with torch.device("meta"):
        factory: Any = AutoModelForCausalLM
        skeleton = factory.from_config(config)
        inject_adapter_in_model(
            LoraConfig(
                r=shape.rank,
                lora_alpha=shape.alpha,
                target_modules=list(shape.modules),
                bias="none",
            ),
            skeleton,
            adapter_name=_NAME,
        )
    return {
        f"base_model.model.{name.replace(f'.{_NAME}.', '.')}": tuple(parameter.shape)
        for name, parameter in skeleton.named_parameters()
        if f".{_NAME}." in name
    }


def check_matrices(tensors: dict[str, Tensor], expected: dict[str, tuple[int, ...]]) -> None:
    """Compare the matrices of an adapter with what belongs on a base model.

    Raises:
        AdapterError: If names or shapes do not fit, or a value is not finite.
    """
    if set(tensors) != set(expected):
        raise AdapterError("The adapter's matrices do not belong to the layers of this base model.")
    for key, tensor in tensors.items():
        if tuple(tensor.shape) != expected[key] or not tensor.is_floating_point():
            raise AdapterError(f"The adapter's matrix {key} has the wrong shape or type.")
        if not bool(torch.isfinite(tensor).all()):
            raise AdapterError(f"The adapter's matrix {key} holds values that are not finite.")


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
