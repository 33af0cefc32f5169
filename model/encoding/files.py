"""The files of an encoder method's adapter: written, and checked when they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from model.base.load import LoadedBase
from model.errors import AdapterError
from model.method import AdapterFiles

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"
ORIGIN_FILE = "nerloop.json"
HEADS_FILE = "heads.safetensors"
SUPPORT_FILE = "support.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterContent:
    """A parsed adapter.

    Attributes:
        weights: Tensors of the encoder: a LoRA, or whole weights.
        config: The content of ``adapter_config.json``.
        origin: The content of ``nerloop.json``; empty where it is still to be written.
        heads: Tensors of the layers above the encoder.
        support: Vectors of the support set and their label numbers; never text.
    """

    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]
    origin: Mapping[str, Any] = field(default_factory=dict)
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    support: Mapping[str, Tensor] = field(default_factory=dict)


def origin_of(
    method: str, base: LoadedBase, config: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """What ``nerloop.json`` says; no time and no path, so equal weights have an equal digest."""
    return {
        "method": method,
        "base": base.name,
        "base_digest": base.digest,
        "config": dict(config),
        "seed": seed,
    }


def to_files(content: AdapterContent) -> AdapterFiles:
    """Write an adapter; empty parts beside the weights get no file."""
    files = {
        WEIGHTS_FILE: _bytes(content.weights),
        CONFIG_FILE: json_bytes(content.config),
        ORIGIN_FILE: json_bytes(content.origin),
    }
    if content.heads:
        files[HEADS_FILE] = _bytes(content.heads)
    if content.support:
        files[SUPPORT_FILE] = _bytes(content.support)
    return files


def from_files(files: AdapterFiles, method: str, base_digest: str) -> AdapterContent:
    """Read what :func:`to_files` wrote.

    Args:
        files: The files by name.
        method: The method that must have written them.
        base_digest: The base model they must be for.

    Raises:
        AdapterError: If a file is missing or damaged, a value is not finite, or the adapter was
            made by another method or for another base model.
    """
    missing = [name for name in (WEIGHTS_FILE, CONFIG_FILE, ORIGIN_FILE) if name not in files]
    if missing:
        raise AdapterError(f"The adapter lacks {', '.join(missing)}.")
    config, origin = _object(files, CONFIG_FILE), _object(files, ORIGIN_FILE)
    if origin.get("method") != method:
        raise AdapterError(
            f"The adapter was made by another method: {origin.get('method')!r}, not {method!r}."
        )
    if origin.get("base_digest") != base_digest:
        raise AdapterError(
            f"The adapter was made for base model {origin.get('base')} with digest "
            f"{origin.get('base_digest')}, but the base in use has digest {base_digest}."
        )
    parts = [_tensors(files, name) for name in (WEIGHTS_FILE, HEADS_FILE, SUPPORT_FILE)]
    return AdapterContent(parts[0], config, origin, parts[1], parts[2])


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A JSON object as it lies in an adapter: sorted, indented, one line break at the end."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _bytes(tensors: Mapping[str, Tensor]) -> bytes:
    return save_tensors({name: tensors[name].detach().contiguous() for name in sorted(tensors)})


def _object(files: AdapterFiles, name: str) -> dict[str, Any]:
    try:
        value = json.loads(files[name])
    except ValueError as error:
        raise AdapterError(f"The adapter's {name} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise AdapterError(f"The adapter's {name} is damaged: it does not hold an object.")
    return value


def _tensors(files: AdapterFiles, name: str) -> dict[str, Tensor]:
    if name not in files:
        return {}
    try:
        tensors = load_tensors(files[name])
    except (ValueError, SafetensorError) as error:
        raise AdapterError(f"The adapter's {name} is damaged: {error}") from error
    wrong = [
        key
        for key, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if wrong:
        raise AdapterError(f"The adapter's {wrong[0]} holds values that are not finite.")
    return tensors
