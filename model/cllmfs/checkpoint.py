"""A training run on disk, so that a long one can be taken up where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from model.errors import NerLoopError

_KEY = "run"


class CheckpointError(NerLoopError):
    """The checkpoint belongs to another run, or is damaged: delete it to start over."""


@dataclass(frozen=True, slots=True)
class StepLosses:
    """Losses of one step in nats; ``contrast`` is None where no mention took part."""

    total: float
    answer: float
    contrast: float | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run is kept, and how often.

    Attributes:
        path: The file; it is written aside and moved into place.
        run: Everything that determines the run, as JSON: another run's file is refused.
        every: Steps between two writings.
    """

    path: Path
    run: dict[str, Any]
    every: int = 25

    def save(
        self,
        history: Sequence[StepLosses],
        parameter: nn.Parameter,
        optimiser: torch.optim.Optimizer,
        noise: torch.Generator,
    ) -> None:
        """Write the state after the last step of ``history``."""
        moments = optimiser.state[parameter]
        tensors = {
            "parameter": parameter.detach().cpu(),
            "noise": noise.get_state(),
            **_random_states(),
            **{f"moment.{name}": torch.as_tensor(value).cpu() for name, value in moments.items()},
        }
        told = json.dumps({"run": self.run, "history": [asdict(item) for item in history]})
        aside = self.path.with_suffix(".part")
        save_file(tensors, aside, metadata={_KEY: told})
        os.replace(aside, self.path)

    def restore(
        self, parameter: nn.Parameter, optimiser: torch.optim.Optimizer, noise: torch.Generator
    ) -> list[StepLosses]:
        """Take up a kept run; returns the losses of the steps done, none if nothing is kept.

        Raises:
            CheckpointError: If the file is damaged or belongs to another run.
        """
        if not self.path.exists():
            return []
        tensors, told = self._read()
        if told["run"] != self.run:
            wrong = sorted(k for k in self.run if told["run"].get(k) != self.run[k])
            raise CheckpointError(
                f"{self.path} was written by a run with another {', '.join(wrong) or 'setting'}. "
                "Delete it to start over, or give the settings of that run."
            )
        with torch.no_grad():
            parameter.copy_(tensors.pop("parameter").to(parameter.device))
        noise.set_state(tensors.pop("noise"))
        torch.set_rng_state(tensors.pop("dropout"))
        on_gpu = tensors.pop("dropout.cuda", None)
        if on_gpu is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(on_gpu)
        moments = {
            name.removeprefix("moment."): value.to(
                parameter.device if value.dim() else torch.device("cpu")
            )
            for name, value in tensors.items()
        }
        optimiser.state[parameter] = moments
        return [StepLosses(**item) for item in told["history"]]

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        try:
            with safe_open(self.path, framework="pt") as file:
                told = json.loads((file.metadata() or {})[_KEY])
                names = file.keys()
                return {name: file.get_tensor(name) for name in names}, told
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CheckpointError(
                f"{self.path} is damaged: {error}. Delete it to start over."
            ) from error


def _random_states() -> dict[str, Tensor]:
    """The states that dropout draws from."""
    states = {"dropout": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["dropout.cuda"] = torch.cuda.get_rng_state()
    return states
