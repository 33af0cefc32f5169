"""The one interface behind which every way to do NER stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from model.spans import AnnotatedText, LabelSet, Prediction

AdapterFiles = Mapping[str, bytes]
"""The files of one adapter by name; what is verified is exactly what is parsed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a fit stands.

    Attributes:
        step: Optimiser steps done.
        steps: Optimiser steps in all.
        loss: Mean loss of the last step, in nats.
        gradient_norm: Norm of its gradient before it was clipped; None where it is not told.
    """

    step: int
    steps: int
    loss: float
    gradient_norm: float | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit leaves behind.

    Attributes:
        files: The adapter: ``adapter_model.safetensors``, ``adapter_config.json`` and
            ``nerloop.json``.
        config: The method's configuration as JSON, the seed included.
        report: Figures of the run: steps, final losses, skipped items, seconds.
    """

    files: AdapterFiles
    config: dict[str, Any]
    report: dict[str, Any]


class NerMethod(Protocol):
    """A way to do few-shot NER on one base model, with any number of adapters loaded."""

    @property
    def name(self) -> str:
        """The method's name in the registry, for example ``cllmfs``."""

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors; adapters for another base are refused."""

    def config_json(self) -> dict[str, Any]:
        """The configuration as JSON; part of what determines a run."""

    def fit(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText] = (),
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train a new adapter from a copy of ``start``.

        Args:
            support: What is learned from.
            labels: What is asked for.
            start: The adapter a copy of which is trained.
            seed: Seeds everything random.
            held_out: Texts that are not learned from; where there are enough of them, they serve to
                make scores mean what they say.
            on_step: Called after each step.

        Raises:
            TrainingDataError: If ``support`` holds nothing to learn from.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make an adapter available under a name; loading the same name twice is harmless.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """

    def unload(self, adapter: str) -> None:
        """Forget an adapter; an unknown name is ignored."""

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order; every text yields one, an empty text too.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
