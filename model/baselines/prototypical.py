"""ProtoBERT: the nearest mean vector of a class decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.baselines.answers import io_answers
from model.baselines.neighbours import class_means, neighbour_scores
from model.baselines.reading import Reader, TaggedPiece, word_tags
from model.baselines.recipe import Answer, Learned, Memory, Question, Recipe, Task
from model.baselines.settings import EpisodicConfig
from model.baselines.source_draws import DrawnEpisode, drawn_episodes
from model.encoding.loop import TrainedPart
from model.encoding.words import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtoBertConfig(EpisodicConfig):
    """Settings of ProtoBERT.

    Attributes:
        dropout: Share of a word's vector that is dropped in training, in [0, 1).
    """

    dropout: float = 0.1

    def _is_sound(self) -> bool:
        return EpisodicConfig._is_sound(self) and 0 <= self.dropout < 1


class DroppingEncoder(nn.Module):
    """An encoder whose word vectors meet dropout in training."""

    def __init__(self, encoder: Any, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)


class ProtoBert(Recipe):
    """Prototypical networks on words (Snell et al., NeurIPS 2017).

    As the baseline of Ding et al., Few-NERD, ACL 2021: a word's vector is the sum of its last four
    states; a prototype is the mean of the support words of a class, O being one; the source stage
    runs in episodes; nothing is trained on the support set.
    """

    name = "protobert"

    def __init__(self, reader: Reader, config: ProtoBertConfig) -> None:
        super().__init__(reader, config)
        self.settings = config

    def network(self, encoder: Any) -> nn.Module:
        """The encoder with dropout behind it."""
        return DroppingEncoder(encoder, self.settings.dropout)

    def learn_source(self, network: Any, task: Task) -> Learned:
        """Train on episodes."""

        def loss_of(episode: DrawnEpisode) -> Tensor:
            names = episode.labels.names
            support = self.reader.tagged(episode.support, names)
            query = self.reader.tagged(episode.query, names)
            scores = _scores(
                self._vectors(network, query),
                *class_means(self._vectors(network, support), word_tags(support)),
                len(names),
            )  # (q, c)
            return F.cross_entropy(scores, word_tags(query))

        parts = [TrainedPart(list(network.encoder.parameters()), self.config.source_rate)]
        return Learned(self.descend(parts, drawn_episodes(task, self.settings), loss_of, task))

    def remember(self, network: Any, task: Task, source: Memory) -> Memory:
        """The prototypes and their classes."""
        del source
        rows = self.reader.tagged(task.items, task.labels.names)
        found = self.reader.all_states(network.encoder, [row.piece for row in rows], "sum4")
        vectors, classes = class_means(torch.cat(found), word_tags(rows))
        return {"vectors": vectors, "classes": classes}

    def answer(
        self, network: Any, memory: Memory, pieces: Sequence[Piece], question: Question
    ) -> list[Answer]:
        """The class of the nearest prototype of every word."""
        scores = [
            _scores(own, memory["vectors"], memory["classes"], len(question.fitted))  # (w, c)
            for own in self.reader.all_states(network.encoder, pieces, "sum4")
        ]
        return io_answers(scores, pieces, question)

    def _vectors(self, network: Any, rows: Sequence[TaggedPiece]) -> Tensor:
        states = self.reader.states(network.encoder, [row.piece for row in rows], "sum4")
        dropped: Tensor = network.dropout(states)  # (w, d)
        return dropped


def _scores(queries: Tensor, prototypes: Tensor, classes: Tensor, types: int) -> Tensor:
    return neighbour_scores(queries, prototypes, classes, 1 + types)
