"""The trained weights of an encoder, a LoRA or all of them, and the encoder that carries them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from model.encoding import lora
from model.encoding.lora import LoraShape
from model.errors import AdapterError

_WHOLE = "encoder."


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was trained of an encoder.

    Attributes:
        shape: The LoRA's shape; None where all weights were trained.
        tensors: A and B matrices under peft's names, or all weights below ``encoder.``.
    """

    shape: LoraShape | None
    tensors: Mapping[str, Tensor]

    def config_json(self, base: str) -> dict[str, Any]:
        """The content of ``adapter_config.json``: peft's for a LoRA, else one key."""
        return {"tuning": "full"} if self.shape is None else self.shape.to_json(base)

    @classmethod
    def parsed(cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Tuning:
        """Read what :meth:`config_json` wrote.

        Raises:
            AdapterError: If it is neither a plain LoRA nor whole weights.
        """
        if config == {"tuning": "full"}:  # and nothing beside it, such as a class to load
            return cls(None, tensors)
        return cls(LoraShape.from_json(config), tensors)


class TunedEncoder:
    """One encoder in memory that carries one tuning at a time.

    Args:
        network: The encoder; this object is its only user.
    """

    def __init__(self, network: Any) -> None:
        self.network = network
        self._original = {
            name: value.detach().clone() for name, value in network.state_dict().items()
        }
        self._inside: Tuning | None = None

    def carry(self, tuning: Tuning) -> nn.Module:
        """The encoder with a tuning in its weights; nothing is done if it has it already.

        Raises:
            AdapterError: If the tuning does not fit the encoder.
        """
        network: nn.Module = self.network
        if self._inside is tuning:
            return network
        self._inside = None
        network.load_state_dict(self._original)
        if tuning.shape is not None:
            lora.check_tensors(network, tuning.shape, tuning.tensors)
            lora.put_in(network, self._original, tuning.shape, tuning.tensors)
        elif tuning.tensors:
            own = {name.removeprefix(_WHOLE): value for name, value in tuning.tensors.items()}
            try:
                network.load_state_dict(own)
            except RuntimeError as error:
                raise AdapterError(f"The adapter does not fit this encoder: {error}") from error
        self._inside = tuning
        return network

    def trained_copy(self, start: Tuning, shape: LoraShape | None, dropout: float) -> TrainedCopy:
        """A copy of the encoder to train.

        Args:
            start: Where training starts.
            shape: A LoRA of this shape is trained, and ``start`` must be one; None trains all
                weights, a LoRA in ``start`` being added in first.
            dropout: Share of a layer's inputs that a LoRA does not see.

        Raises:
            AdapterError: If ``start`` does not fit.
        """
        if shape is None:
            network = copy.deepcopy(self.carry(start)).requires_grad_(True)
            return TrainedCopy(network, list(network.parameters()), None)
        if start.shape is None:
            raise AdapterError("The adapter holds whole weights, so no LoRA can go on from it.")
        self._inside = None
        self.network.load_state_dict(self._original)
        network = lora.with_lora(self.network, start.shape, start.tensors, dropout)
        return TrainedCopy(network, lora.lora_parameters(network), start.shape)


@dataclass(frozen=True, slots=True)
class TrainedCopy:
    """An encoder in training.

    Attributes:
        network: The encoder.
        parameters: What is trained of it.
        shape: The LoRA's shape; None where all weights are trained.
    """

    network: nn.Module
    parameters: list[nn.Parameter]
    shape: LoraShape | None

    def tuning(self) -> Tuning:
        """Copies of what was trained."""
        if self.shape is not None:
            return Tuning(self.shape, lora.lora_tensors(self.network))
        whole = self.network.state_dict()
        return Tuning(None, {f"{_WHOLE}{k}": v.detach().clone() for k, v in whole.items()})
