"""What a few-shot baseline has to say; everything around it is the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from model.baselines.reading import Reader
from model.baselines.settings import BaselineConfig
from model.encoding.loop import TrainedPart, optimise
from model.encoding.words import Piece
from model.method import Progress
from model.spans import AnnotatedText, LabelSet, Span

Memory = Mapping[str, Tensor]
"""What is kept of a support set, or of the source: vectors and numbers by name, never text."""

OnStep = Callable[[Progress], None]

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned from.

    Attributes:
        items: Annotated texts.
        labels: The labels that were asked for.
        seed: Seeds the order of the texts; torch is seeded already.
        on_step: Called after each optimiser step, or None.
    """

    items: Sequence[AnnotatedText]
    labels: LabelSet
    seed: int
    on_step: OnStep | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What a stage leaves behind beside the weights of the network.

    Attributes:
        losses: One per optimiser step, in order.
        memory: What is remembered.
    """

    losses: Sequence[float] = ()
    memory: Memory = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a piece of text.

    Attributes:
        fitted: The labels of the fit; class 0 is O, class ``1 + i`` its label i.
        asked: Names of those that may be answered.
    """

    fitted: LabelSet
    asked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a piece of text is said to hold.

    Attributes:
        spans: The spans, in source order.
        score: The least certain decision, in [0, 1].
    """

    spans: Sequence[Span]
    score: float


class Recipe(ABC):
    """A few-shot baseline: its network, its two stages and its inference.

    Args:
        reader: How texts become rows.
        config: Settings.
    """

    name: ClassVar[str]
    answers_unfitted: ClassVar[bool] = False
    """Whether label names alone are enough for an answer."""

    def __init__(self, reader: Reader, config: BaselineConfig) -> None:
        self.reader = reader
        self.config = config

    @abstractmethod
    def network(self, encoder: Any) -> nn.Module:
        """All that is trained, with the encoder inside; new layers are drawn from torch's seed."""

    @abstractmethod
    def learn_source(self, network: Any, task: Task) -> Learned:
        """Train the network in place on the source corpus."""

    def learn_target(self, network: Any, task: Task) -> Sequence[float]:
        """Train the network in place on the support set; returns the losses, by default none."""
        del network, task
        return ()

    @abstractmethod
    def remember(self, network: Any, task: Task, source: Memory) -> Memory:
        """What is kept of the support set, given what was kept of the source (maybe nothing)."""

    @abstractmethod
    def answer(
        self, network: Any, memory: Memory, pieces: Sequence[Piece], question: Question
    ) -> list[Answer]:
        """One answer per piece, in order."""

    def descend(
        self,
        parts: Sequence[TrainedPart],
        batches: Sequence[Batch],
        loss_of: Callable[[Batch], Tensor],
        task: Task,
        stop: Callable[[Sequence[float]], bool] | None = None,
    ) -> list[float]:
        """Train with this recipe's settings; see :func:`model.encoding.loop.optimise`."""
        config = self.config
        return optimise(
            parts,
            batches,
            loss_of,
            decay=config.decay,
            warmup=config.warmup,
            clip=config.clip,
            on_step=task.on_step,
            stop=stop,
        )
