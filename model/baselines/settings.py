"""Settings that all few-shot baselines share, and how each reads its own from JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from model.errors import NerLoopError


class BaselineConfigError(NerLoopError):
    """A setting of a baseline lies outside its range, or is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineConfig:
    """Settings of the source stage and of reading; the baselines add their own.

    The number of steps is fixed where published code stops by a test file.

    Attributes:
        source_steps: Optimiser steps of the source stage (of each encoder where there are two).
        source_batch: Pieces of text in such a step; an episode is a step of its own size.
        source_rate: Peak learning rate of the encoder there.
        head_rate: Peak learning rate of layers that start from random numbers.
        decay: Weight decay of AdamW.
        warmup: Share of the source steps over which the rate rises; it falls linearly after.
        clip: Largest gradient norm.
        window: Most tokens of a text read at once, special ones included.
        threads: CPU threads of torch; None leaves them as they are.

    Raises:
        BaselineConfigError: If a setting lies outside its range.
    """

    target_only: ClassVar[tuple[str, ...]] = ()

    source_steps: int = 300
    source_batch: int = 32
    source_rate: float = 1e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    window: int = 128
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self._is_sound():
            raise BaselineConfigError(f"No baseline can work with {self}.")

    def to_json(self) -> dict[str, Any]:
        """A JSON object that :meth:`from_json` reads back."""
        return asdict(self)

    def source_json(self) -> dict[str, Any]:
        """What determines the source stage: all but threads and settings of the target stage."""
        left_out = {"threads", *self.target_only}
        return {name: value for name, value in self.to_json().items() if name not in left_out}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a JSON object; settings that are not named keep their defaults.

        Raises:
            BaselineConfigError: If there is a setting of an unknown name, or one outside its range.
        """
        unknown = sorted(set(value) - {field.name for field in fields(cls)})
        if unknown:
            raise BaselineConfigError(
                f"{cls.__name__} knows no setting called {', '.join(unknown)}."
            )
        return cls(**value)

    def _is_sound(self) -> bool:
        rates = min(self.source_rate, self.head_rate, self.clip) > 0 and self.decay >= 0
        steps = min(self.source_steps, self.source_batch) >= 1 and 0 <= self.warmup <= 1
        return rates and steps and self.window >= 16 and (self.threads is None or self.threads >= 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodicConfig(BaselineConfig):
    """Settings of a source stage in episodes (Ding et al., ACL 2021, section 4.2).

    Attributes:
        ways: Types of an episode.
        shots: Mentions of each type in its support set: at least so many, at most twice as many.
        queries: The same of its query set.
    """

    ways: int = 5
    shots: int = 3
    queries: int = 3

    def _is_sound(self) -> bool:
        return BaselineConfig._is_sound(self) and min(self.ways, self.shots, self.queries) >= 1
