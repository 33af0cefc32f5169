"""NNShot and StructShot: the nearest support token decides, alone or along a path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.baselines.answers import Path, io_answers
from model.baselines.neighbours import neighbour_scores
from model.baselines.reading import Reader, TaggedPiece, word_tags
from model.baselines.recipe import Answer, Learned, Memory, Question, Recipe, Task
from model.baselines.settings import BaselineConfig
from model.baselines.source_draws import drawn_batches
from model.baselines.transitions import abstract_transitions, best_path, log_transitions
from model.encoding.loop import TrainedPart
from model.encoding.words import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestConfig(BaselineConfig):
    """Settings of NNShot.

    Attributes:
        power: What transition probabilities are raised to before tags are picked along the best
            path, in (0, 1]; None picks the best tag of every word.
    """

    target_only: ClassVar[tuple[str, ...]] = ("power",)

    power: float | None = None

    def _is_sound(self) -> bool:
        return BaselineConfig._is_sound(self) and (self.power is None or 0 < self.power <= 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StructShotConfig(NearestConfig):
    """Settings of StructShot; the power is that of the published script."""

    power: float | None = 0.05


class EncoderAlone(nn.Module):
    """A network without layers of its own."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder


class NNShot(Recipe):
    """A tagger's encoder, and for every word the class of its nearest support token.

    Yang and Katiyar, Simple and Effective Few-Shot Named Entity Recognition with Structured Nearest
    Neighbor Learning, EMNLP 2020. The source stage trains a plain IO tagger, whose linear layer is
    dropped; nothing is trained on the support set. Vectors are last states of length 1.
    """

    name = "nnshot"

    def __init__(self, reader: Reader, config: NearestConfig) -> None:
        super().__init__(reader, config)
        self.power = config.power

    def network(self, encoder: Any) -> nn.Module:
        """The encoder alone."""
        return EncoderAlone(encoder)

    def learn_source(self, network: Any, task: Task) -> Learned:
        """Train a tagger; what is remembered is which tags follow which."""
        head = nn.Linear(network.encoder.config.hidden_size, 1 + len(task.labels))
        batches = drawn_batches(task, self.reader, self.config)

        def loss_of(rows: Sequence[TaggedPiece]) -> Tensor:
            states = self.reader.states(network.encoder, [row.piece for row in rows])  # (w, d)
            return F.cross_entropy(head(states), word_tags(rows))

        parts = [
            TrainedPart(list(network.encoder.parameters()), self.config.source_rate),
            TrainedPart(list(head.parameters()), self.config.head_rate),
        ]
        losses = self.descend(parts, batches, loss_of, task)
        return Learned(losses, source_transitions(batches))

    def remember(self, network: Any, task: Task, source: Memory) -> Memory:
        """Vector and class of every support word, and the transitions."""
        rows = self.reader.tagged(task.items, task.labels.names)
        vectors = torch.cat(self._vectors(network, [row.piece for row in rows]))  # (s, d)
        seen = source or source_transitions([rows])
        return {"vectors": vectors, "classes": word_tags(rows), **seen}

    def answer(
        self, network: Any, memory: Memory, pieces: Sequence[Piece], question: Question
    ) -> list[Answer]:
        """The class of the nearest support token, or the best path through the classes."""
        count = 1 + len(question.fitted)
        scores = [
            neighbour_scores(own, memory["vectors"], memory["classes"], count)  # (w, c)
            for own in self._vectors(network, pieces)
        ]
        return io_answers(scores, pieces, question, self._path(memory, count - 1))

    def _vectors(self, network: Any, pieces: Sequence[Piece]) -> list[Tensor]:
        return [F.normalize(own, dim=-1) for own in self.reader.all_states(network.encoder, pieces)]

    def _path(self, memory: Memory, types: int) -> Path | None:
        if self.power is None:
            return None
        first, table = log_transitions(memory["transitions"], types, self.power)
        return partial(best_path, first=first, table=table)


class StructShot(NNShot):
    """NNShot with the best path through the classes instead of the best class of every word.

    Same paper. How tags follow each other is counted on the source corpus, or on the support set
    where there was no source stage.
    """

    name = "structshot"


def source_transitions(batches: Iterable[Sequence[TaggedPiece]]) -> Memory:
    """Abstract transitions of what was read, as a memory."""
    return {"transitions": abstract_transitions(row.tags for rows in batches for row in rows)}
