"""CONTaiNER: words as Gaussians pulled together by contrast, then the nearest support token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from model.baselines.contrast import container_loss
from model.baselines.nearest import NearestConfig, NNShot, source_transitions
from model.baselines.reading import Reader, TaggedPiece, word_tags
from model.baselines.recipe import Learned, Task
from model.baselines.source_draws import drawn_batches
from model.encoding.gaussian import GaussianHead, symmetrised_kl
from model.encoding.loop import TrainedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig(NearestConfig):
    """Settings of CONTaiNER; the power is that of the published script.

    Attributes:
        size: Dimensions of the Gaussians.
        anchor_outside: Whether O words are anchors of the loss too.
        rate: Peak learning rate on the support set.
        max_steps: Most steps there; they end before the first whose loss is higher than the last.
    """

    target_only: ClassVar[tuple[str, ...]] = ("power", "rate", "max_steps")

    power: float | None = 0.01
    size: int = 128
    anchor_outside: bool = True
    rate: float = 5e-5
    max_steps: int = 50

    def _is_sound(self) -> bool:
        own = min(self.size, self.max_steps) >= 1 and self.rate > 0
        return NearestConfig._is_sound(self) and own


class GaussianEncoder(nn.Module):
    """An encoder with Gaussians over its word vectors."""

    def __init__(self, encoder: Any, size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = GaussianHead(encoder.config.hidden_size, size)

    def parts(self, encoder_rate: float, head_rate: float) -> list[TrainedPart]:
        """Both halves with their learning rates."""
        return [
            TrainedPart(list(self.encoder.parameters()), encoder_rate),
            TrainedPart(list(self.head.parameters()), head_rate),
        ]


class Container(NNShot):
    """Words as Gaussians; those of a class are pulled together, on the source and on the support.

    Das, Katiyar, Passonneau and Zhang, CONTaiNER: Few-Shot Named Entity Recognition via Contrastive
    Learning, ACL 2022. The Gaussians are dropped for inference, which is that of NNShot or, with a
    power, of StructShot.
    """

    name = "container"

    def __init__(self, reader: Reader, config: ContainerConfig) -> None:
        super().__init__(reader, config)
        self.settings = config

    def network(self, encoder: Any) -> nn.Module:
        """The encoder and the Gaussians over it."""
        return GaussianEncoder(encoder, self.settings.size)

    def learn_source(self, network: Any, task: Task) -> Learned:
        """Contrast within random batches."""
        batches = drawn_batches(task, self.reader, self.config)
        parts = network.parts(self.config.source_rate, self.config.head_rate)
        losses = self.descend(parts, batches, lambda rows: self._loss(network, rows), task)
        return Learned(losses, source_transitions(batches))

    def learn_target(self, network: Any, task: Task) -> Sequence[float]:
        """Contrast within the whole support set, until the loss rises."""
        rows = self.reader.tagged(task.items, task.labels.names)
        parts = network.parts(self.settings.rate, self.settings.rate)
        batches = [rows] * self.settings.max_steps
        return self.descend(parts, batches, lambda rows: self._loss(network, rows), task, has_risen)

    def _loss(self, network: Any, rows: Sequence[TaggedPiece]) -> Tensor:
        states = self.reader.states(network.encoder, [row.piece for row in rows])  # (w, d)
        words = network.head(states)
        distances = symmetrised_kl(words, words)  # (w, w)
        return container_loss(
            distances, word_tags(rows), anchor_outside=self.settings.anchor_outside
        )


def has_risen(losses: Sequence[float], *, by: float = 0.0) -> bool:
    """Whether the last loss is higher than the one before, by more than a share of it."""
    return len(losses) > 1 and losses[-1] > (1 + by) * losses[-2]
