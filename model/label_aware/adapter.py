"""An adapter of the label-aware method in memory, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from model.encoding.files import AdapterContent, from_files, to_files
from model.encoding.tuning import Tuning
from model.errors import AdapterError
from model.label_aware.config import Distance
from model.label_aware.inference import Memory
from model.label_aware.network import head_from
from model.method import AdapterFiles

METHOD = "label_aware"


@dataclass(frozen=True, slots=True)
class LabelAwareAdapter:
    """What a fit leaves behind.

    Attributes:
        tuning: The trained weights of the encoder.
        head: Tensors of the Gaussian heads.
        distance: Between words and labels.
        names: Labels of the support set, in the order of their numbers in ``memory``.
        memory: Tokens of the support set, where they are asked at prediction.
    """

    tuning: Tuning
    head: Mapping[str, Tensor]
    distance: Distance
    names: tuple[str, ...] = ()
    memory: Memory | None = None

    def files(self, origin: Mapping[str, Any]) -> AdapterFiles:
        """As files: LoRA matrices in bf16, the rest as it is."""
        tensors = self.tuning.tensors
        if self.tuning.shape is not None:
            tensors = {name: value.bfloat16() for name, value in tensors.items()}
        told = {**origin, "distance": self.distance, "labels": list(self.names)}
        content = AdapterContent(
            tensors,
            self.tuning.config_json(str(origin["base"])),
            told,
            heads=self.head,
            support=self.memory.tensors() if self.memory is not None else {},
        )
        return to_files(content)

    @classmethod
    def parsed(cls, files: AdapterFiles, base_digest: str) -> LabelAwareAdapter:
        """Read what :meth:`files` wrote.

        Args:
            files: The files by name.
            base_digest: Digest of the encoder they must be for.

        Raises:
            AdapterError: If they are damaged, or of another method or encoder.
        """
        content = from_files(files, METHOD, base_digest)
        distance: Any = content.origin.get("distance")
        names = content.origin.get("labels")
        if distance not in get_args(Distance) or not isinstance(names, list):
            raise AdapterError("The adapter names no distance, or no labels.")
        try:
            head_from(content.heads, 0.0)
            memory = Memory.from_tensors(content.support) if content.support else None
        except (KeyError, RuntimeError, ValueError) as error:
            raise AdapterError(f"The adapter's heads or support are damaged: {error}") from error
        tensors = {name: value.to(torch.float32) for name, value in content.weights.items()}
        tuning = Tuning.parsed(content.config, tensors)
        return cls(tuning, content.heads, distance, tuple(map(str, names)), memory)
