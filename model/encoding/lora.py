"""Plain LoRA on the linear layers of an encoder: put on for training, added in for predictions."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from model.errors import AdapterError

MAX_RANK = 16
_NAME = "trained"
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class LoraShape:
    """What must be known to put a LoRA (Hu et al., arXiv:2106.09685) on an encoder.

    Attributes:
        rank: 1 to 16.
        alpha: The update is multiplied by alpha / rank.
        modules: Last parts of the layers' names, for BERT ``query``, ``key``, ``value``, ``dense``.
    """

    rank: int
    alpha: int
    modules: tuple[str, ...]

    @property
    def scale(self) -> float:
        """The factor of ``B A``."""
        return self.alpha / self.rank

    def to_json(self, base: str) -> dict[str, Any]:
        """The content of an ``adapter_config.json`` that peft reads."""
        return {
            "peft_type": "LORA",
            "bias": "none",
            "inference_mode": True,
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": 0.0,
            "target_modules": sorted(self.modules),
        }

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> LoraShape:
        """Read what :meth:`to_json` wrote.

        Raises:
            AdapterError: If it is not a plain LoRA of a rank that is served, or says anything more.
        """
        rank, alpha, modules = (config.get(key) for key in ("r", "lora_alpha", "target_modules"))
        plain = config.get("peft_type") == "LORA" and config.get("bias") == "none"
        if not plain or not isinstance(rank, int) or not 1 <= rank <= MAX_RANK:
            raise AdapterError(f"The adapter is no plain LoRA of rank 1 to {MAX_RANK}.")
        if not isinstance(alpha, int) or alpha <= 0 or not isinstance(modules, list):
            raise AdapterError("The adapter's lora_alpha or target_modules are damaged.")
        shape = cls(rank, alpha, tuple(sorted(map(str, modules))))
        # only what is written here is read: no class to load, no other layers to save
        if config != shape.to_json(str(config.get("base_model_name_or_path"))):
            raise AdapterError("The adapter's config says more than that of a plain LoRA.")
        return shape


def linear_layers(network: nn.Module, shape: LoraShape) -> dict[str, nn.Linear]:
    """The layers a LoRA belongs to by name; the embeddings and the pooling layer have none.

    Raises:
        AdapterError: If there is no such layer.
    """
    found = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
        and name.startswith("encoder.")
        and name.rpartition(".")[2] in shape.modules
    }
    if not found:
        raise AdapterError(f"The encoder has no layers called {', '.join(shape.modules)}.")
    return found


def fresh_tensors(network: nn.Module, shape: LoraShape, seed: int) -> dict[str, Tensor]:
    """A LoRA that changes nothing yet: A drawn at random, B = 0."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, layer in linear_layers(network, shape).items():
        first = torch.empty(shape.rank, layer.in_features)
        nn.init.kaiming_uniform_(first, a=math.sqrt(5), generator=generator)
        tensors[f"{_PREFIX}{name}.lora_A.weight"] = first
        tensors[f"{_PREFIX}{name}.lora_B.weight"] = torch.zeros(layer.out_features, shape.rank)
    return tensors


def check_tensors(network: nn.Module, shape: LoraShape, tensors: Mapping[str, Tensor]) -> None:
    """Compare the matrices of a LoRA with the layers of an encoder.

    Raises:
        AdapterError: If names or shapes do not fit.
    """
    expected: dict[str, tuple[int, ...]] = {}
    for name, layer in linear_layers(network, shape).items():
        expected[f"{_PREFIX}{name}.lora_A.weight"] = (shape.rank, layer.in_features)
        expected[f"{_PREFIX}{name}.lora_B.weight"] = (layer.out_features, shape.rank)
    if expected != {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        raise AdapterError("The adapter's matrices do not belong to the layers of this encoder.")


def with_lora(
    network: nn.Module, shape: LoraShape, tensors: Mapping[str, Tensor], dropout: float = 0.0
) -> nn.Module:
    """A copy of the encoder with a LoRA to train; everything else of it is frozen.

    Args:
        network: The encoder; it stays as it is.
        shape: The LoRA's shape.
        tensors: Where its matrices start.
        dropout: Share of a layer's inputs that the LoRA does not see in training.

    Raises:
        AdapterError: If the matrices do not fit the encoder.
    """
    check_tensors(network, shape, tensors)
    trained = copy.deepcopy(network).requires_grad_(False)
    config = LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=dropout,
        target_modules=list(linear_layers(network, shape)),
        bias="none",
    )
    inject_adapter_in_model(config, trained, adapter_name=_NAME)
    with torch.no_grad():
        for name, parameter in _matrices(trained).items():
            parameter.copy_(tensors[name])
    return trained


def lora_parameters(trained: nn.Module) -> list[nn.Parameter]:
    """The trainable matrices of what :func:`with_lora` gave."""
    return list(_matrices(trained).values())


def lora_tensors(trained: nn.Module) -> dict[str, Tensor]:
    """Copies of the matrices under peft's names."""
    return {name: value.detach().clone() for name, value in _matrices(trained).items()}


def put_in(
    network: nn.Module,
    original: Mapping[str, Tensor],
    shape: LoraShape,
    tensors: Mapping[str, Tensor],
) -> None:
    """Set each layer's weight to ``W + scale B A``, so that predictions cost nothing extra.

    Args:
        network: The encoder; its weights are changed in place.
        original: Its untouched weights.
        shape: The LoRA's shape.
        tensors: Its matrices.
    """
    with torch.no_grad():
        for name, layer in linear_layers(network, shape).items():
            first = tensors[f"{_PREFIX}{name}.lora_A.weight"].float()
            second = tensors[f"{_PREFIX}{name}.lora_B.weight"].float()
            weight = original[f"{name}.weight"]
            layer.weight.copy_(weight).addmm_(second, first, alpha=shape.scale)


def _matrices(trained: nn.Module) -> dict[str, nn.Parameter]:
    return {
        _PREFIX + name.replace(f".{_NAME}.", "."): parameter
        for name, parameter in trained.named_parameters()
        if f".{_NAME}." in name
    }
