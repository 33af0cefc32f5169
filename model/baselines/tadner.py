"""TadNER: spans first, then their types by name and example; doubtful spans are dropped."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.baselines.contrast import pair_loss
from model.baselines.reading import Reader, TaggedPiece, word_tags
from model.baselines.recipe import Answer, Learned, Memory, Question, Recipe, Task
from model.baselines.settings import BaselineConfig
from model.baselines.source_draws import drawn_batches
from model.baselines.span_types import TypeMemory, runs_of, type_memory, typed_spans
from model.encoding.loop import TrainedPart
from model.encoding.words import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class TadnerConfig(BaselineConfig):
    """Settings of TadNER.

    Attributes:
        dropout: Share of a word's vector that the span tagger does not see in training.
        temperature: Divisor of the logits in the type-aware loss.
        rate: Peak learning rate on the support set.
        max_steps: Most steps there, for spans and for types.
        patience: Steps in a row without a new lowest loss after which the span tagger stops.
        enough: Mean loss, in nats, below which the types are learned.
    """

    target_only: ClassVar[tuple[str, ...]] = ("rate", "max_steps", "patience", "enough")

    dropout: float = 0.2
    temperature: float = 0.05
    rate: float = 3e-5
    max_steps: int = 100
    patience: int = 6
    enough: float = 1.0

    def _is_sound(self) -> bool:
        rates = min(self.temperature, self.rate) > 0 and 0 <= self.dropout < 1
        steps = min(self.max_steps, self.patience) >= 1
        return BaselineConfig._is_sound(self) and rates and steps


class TwoStages(nn.Module):
    """A span tagger, and an encoder of words and type names that starts as its copy."""

    def __init__(self, encoder: Any, dropout: float) -> None:
        super().__init__()
        self.spans = encoder
        self.inside = nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.config.hidden_size, 2))
        self.types = copy.deepcopy(encoder)


class Tadner(Recipe):
    """Type-aware decomposition.

    Li, Yu and Qian, Type-Aware Decomposed Framework for Few-Shot Named Entity Recognition,
    arXiv:2302.06397. One encoder tags spans without types; another brings words near to the names
    of their types. A prototype is [vector of the name; mean vector of the support spans], a span
    counts as [its vector; its vector], and is dropped where half its best product is below the
    lowest product of a support word with the name of its type.
    """

    name = "tadner"

    def __init__(self, reader: Reader, config: TadnerConfig) -> None:
        super().__init__(reader, config)
        self.settings = config

    def network(self, encoder: Any) -> nn.Module:
        """Both encoders and the layer that tags."""
        return TwoStages(encoder, self.settings.dropout)

    def learn_source(self, network: Any, task: Task) -> Learned:
        """Train the span tagger, then contrast words with type names."""
        batches = drawn_batches(task, self.reader, self.config)
        names = [label.question for label in task.labels]

        def loss_of(rows: Sequence[TaggedPiece]) -> Tensor:
            states = self.reader.states(network.types, [row.piece for row in rows])  # (w, d)
            words, classes = _entities(states, rows)
            if not len(words):
                return states.sum() * 0.0
            present = sorted(set(classes.tolist()))
            vectors = self.reader.name_states(network.types, [names[k] for k in present])
            own = vectors[[present.index(k) for k in classes.tolist()]]  # (w, d)
            return pair_loss(words, own, classes, self.settings.temperature)

        parts = [TrainedPart(list(network.types.parameters()), self.config.source_rate)]
        tagging = self._tag(network, task, batches, self.config.source_rate, self.config.head_rate)
        return Learned([*tagging, *self.descend(parts, batches, loss_of, task)])

    def learn_target(self, network: Any, task: Task) -> Sequence[float]:
        """Both stages on the whole support set; the type names stay where the source put them."""
        rows = self.reader.tagged(task.items, task.labels.names)
        batches, rate = [rows] * self.settings.max_steps, self.settings.rate
        network.eval()
        with torch.no_grad():
            names = self._names(network, task)  # (t, d)
        network.train()

        def loss_of(rows: Sequence[TaggedPiece]) -> Tensor:
            pieces = [row.piece for row in rows]
            states = self.reader.states(network.types, pieces, "mean4")  # (w, d)
            words, classes = _entities(states, rows)
            return F.cross_entropy(words @ names.T, classes)

        parts = [TrainedPart(list(network.types.parameters()), rate)]
        typing = self.descend(
            parts, batches, loss_of, task, lambda losses: losses[-1] < self.settings.enough
        )
        return [*self._tag(network, task, batches, rate, rate, patient=True), *typing]

    def remember(self, network: Any, task: Task, source: Memory) -> Memory:
        """Name and mean vector of every type, and the threshold."""
        del source
        rows = self.reader.tagged(task.items, task.labels.names)
        states = self.reader.all_states(network.types, [row.piece for row in rows], "mean4")
        tags = [row.tags for row in rows]
        return type_memory(states, tags, self._names(network, task)).tensors()

    def answer(
        self, network: Any, memory: Memory, pieces: Sequence[Piece], question: Question
    ) -> list[Answer]:
        """Runs of words inside a span, each with its best type or none."""
        found = self.reader.all_states(network.spans, pieces)
        shares = [network.inside(own).softmax(-1) for own in found]  # each (w, 2)
        runs = [runs_of(own.argmax(-1).tolist()) for own in shares]
        states = self.reader.all_states(network.types, pieces, "mean4")
        types = TypeMemory.of(memory)
        return [
            typed_spans(piece, own, inside, vectors, types, question)
            for piece, own, inside, vectors in zip(pieces, runs, shares, states, strict=True)
        ]

    def _tag(
        self,
        network: Any,
        task: Task,
        batches: Sequence[Sequence[TaggedPiece]],
        rate: float,
        head_rate: float,
        *,
        patient: bool = False,
    ) -> list[float]:
        def loss_of(rows: Sequence[TaggedPiece]) -> Tensor:
            states = self.reader.states(network.spans, [row.piece for row in rows])  # (w, d)
            return F.cross_entropy(network.inside(states), word_tags(rows).clamp_max(1))

        def stop(losses: Sequence[float]) -> bool:
            return len(losses) - 1 - losses.index(min(losses)) > self.settings.patience

        parts = [
            TrainedPart(list(network.spans.parameters()), rate),
            TrainedPart(list(network.inside.parameters()), head_rate),
        ]
        return self.descend(parts, batches, loss_of, task, stop if patient else None)

    def _names(self, network: Any, task: Task) -> Tensor:
        names = [label.question for label in task.labels]
        return self.reader.name_states(network.types, names, "mean4")  # (t, d)


def _entities(states: Tensor, rows: Sequence[TaggedPiece]) -> tuple[Tensor, Tensor]:
    # vectors (n, d) and types (n,) of the words inside a span
    tags = word_tags(rows)
    return states[tags > 0], tags[tags > 0] - 1
