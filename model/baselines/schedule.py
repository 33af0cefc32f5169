"""Settings of the tagger."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from model.encoding.schedule import Schedule
from model.errors import NerLoopError


class TaggerConfigError(NerLoopError):
    """A setting of the tagger lies outside its range, or is not known."""


@dataclass(frozen=True, slots=True)
class TaggerConfig:
    """Settings of plain fine-tuning; the rates were chosen on development data.

    Attributes:
        rate: Peak learning rate of AdamW for the encoder.
        head_rate: The same for the linear layer, which starts from random numbers.
        decay: Weight decay.
        warmup: Share of the steps over which the rate rises; it falls linearly after.
        epochs: Passes over the support set.
        min_steps: Lower bound on the steps.
        max_steps: Upper bound.
        batch: Pieces of text in a step.
        clip: Largest gradient norm.
        window: Most tokens read at once, special ones included.
        threads: CPU threads of torch; None leaves them as they are.

    Raises:
        TaggerConfigError: If a setting lies outside its range.
    """

    rate: float = 3e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    warmup: float = 0.1
    epochs: int = 30
    min_steps: int = 100
    max_steps: int = 1000
    batch: int = 8
    clip: float = 1.0
    window: int = 256
    threads: int | None = None

    def __post_init__(self) -> None:
        rates = self.rate > 0 and self.head_rate > 0 and self.decay >= 0 and self.clip > 0
        steps = self.epochs >= 1 and 1 <= self.min_steps <= self.max_steps and self.batch >= 1
        threads = self.threads is None or self.threads >= 1
        if not (rates and steps and threads and 0 <= self.warmup <= 1 and self.window >= 16):
            raise TaggerConfigError(f"The tagger cannot work with {self}.")

    @property
    def schedule(self) -> Schedule:
        """How long it learns."""
        return Schedule(self.epochs, self.batch, self.warmup, self.min_steps, self.max_steps)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TaggerConfig:
        """Read a JSON object; settings that are not named keep their defaults.

        Raises:
            TaggerConfigError: If there is a setting of an unknown name, or one outside its range.
        """
        unknown = sorted(set(value) - {field.name for field in fields(cls)})
        if unknown:
            raise TaggerConfigError(f"The tagger knows no setting called {', '.join(unknown)}.")
        return cls(**value)
