"""ProML: support words seen both with the label names in front and with labels marked inline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from model.baselines.answers import io_answers
from model.baselines.container import GaussianEncoder, has_risen
from model.baselines.contrast import share_loss
from model.baselines.neighbours import neighbour_scores
from model.baselines.prompts import prefix_of, with_markers, with_prefix
from model.baselines.reading import Reader, TaggedPiece, word_tags
from model.baselines.recipe import Answer, Learned, Memory, Question, Recipe, Task
from model.baselines.settings import EpisodicConfig
from model.baselines.source_draws import DrawnEpisode, drawn_episodes
from model.encoding.gaussian import symmetrised_kl
from model.encoding.words import Piece
from model.spans import LabelSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ProMLConfig(EpisodicConfig):
    """Settings of ProML; published code chooses the share by test files, here it is fixed.

    Attributes:
        prefix_share: Weight of the version with a prefix in a support vector, in [0, 1].
        size: Dimensions of the Gaussians.
        nearest: Support words of a class whose mean distance counts.
        rate: Peak learning rate on the support set.
        max_steps: Most steps there, 0 for none; they end when the loss rises by more than
            ``tolerance`` of itself.
        tolerance: That share.
    """

    target_only: ClassVar[tuple[str, ...]] = ("nearest", "rate", "max_steps", "tolerance")

    prefix_share: float = 0.5
    size: int = 32
    nearest: int = 1
    rate: float = 3e-5
    max_steps: int = 11
    tolerance: float = 0.05

    def _is_sound(self) -> bool:
        shares = 0 <= self.prefix_share <= 1 and self.tolerance >= 0
        numbers = min(self.size, self.nearest) >= 1 and self.max_steps >= 0 and self.rate > 0
        return EpisodicConfig._is_sound(self) and shares and numbers


class ProML(Recipe):
    """Metric learning with prompts on both sides.

    Chen, Zheng and Yang, Prompt-Based Metric Learning for Few-Shot NER, arXiv:2211.04337. A query
    word is read behind the label names; a support word is a mix of that and of its state where the
    labels are marked inline. Words are means of the last four states; Gaussians over them serve the
    loss alone.
    """

    name = "proml"

    def __init__(self, reader: Reader, config: ProMLConfig) -> None:
        super().__init__(reader, config)
        self.settings = config

    def network(self, encoder: Any) -> nn.Module:
        """The encoder and the Gaussians over it."""
        return GaussianEncoder(encoder, self.settings.size)

    def learn_source(self, network: Any, task: Task) -> Learned:
        """Train on episodes, each with its own label names."""

        def loss_of(episode: DrawnEpisode) -> Tensor:
            labels = episode.labels
            support = self.reader.tagged(episode.support, labels.names)
            query = self.reader.tagged(episode.query, labels.names)
            plain = [row.piece for row in query]
            near = network.head(self._support(network, support, labels))
            asked = network.head(torch.cat(self._read(network, plain, labels)))
            distances = symmetrised_kl(asked, near)  # (q, s)
            return share_loss(distances, word_tags(query), word_tags(support))

        parts = network.parts(self.config.source_rate, self.config.head_rate)
        return Learned(self.descend(parts, drawn_episodes(task, self.settings), loss_of, task))

    def learn_target(self, network: Any, task: Task) -> Sequence[float]:
        """Each support word is asked about among the others, for a few steps."""
        rows = self.reader.tagged(task.items, task.labels.names)
        tags = word_tags(rows)

        def loss_of(rows: Sequence[TaggedPiece]) -> Tensor:
            plain = [row.piece for row in rows]
            near = network.head(self._support(network, rows, task.labels))
            asked = network.head(torch.cat(self._read(network, plain, task.labels)))
            return share_loss(symmetrised_kl(asked, near), tags, tags, among_themselves=True)

        return self.descend(
            network.parts(self.settings.rate, self.settings.rate),
            [rows] * self.settings.max_steps,
            loss_of,
            task,
            partial(has_risen, by=self.settings.tolerance),
        )

    def remember(self, network: Any, task: Task, source: Memory) -> Memory:
        """The mixed vector and the class of every support word."""
        del source
        rows = self.reader.tagged(task.items, task.labels.names)
        vectors = self._support(network, rows, task.labels)  # (s, d)
        return {"vectors": vectors, "classes": word_tags(rows)}

    def answer(
        self, network: Any, memory: Memory, pieces: Sequence[Piece], question: Question
    ) -> list[Answer]:
        """The class of the nearest support words of every word."""
        count, nearest = 1 + len(question.fitted), self.settings.nearest
        scores = [
            neighbour_scores(own, memory["vectors"], memory["classes"], count, nearest=nearest)
            for own in self._read(network, pieces, question.fitted)
        ]
        return io_answers(scores, pieces, question)

    def _support(self, network: Any, rows: Sequence[TaggedPiece], labels: LabelSet) -> Tensor:
        named = self._read(network, [row.piece for row in rows], labels)
        inline = self.reader.all_states(
            network.encoder, [with_markers(self.reader, row, labels) for row in rows], "mean4"
        )
        share = self.settings.prefix_share
        return share * torch.cat(named) + (1 - share) * torch.cat(inline)  # (s, d)

    def _read(self, network: Any, pieces: Sequence[Piece], labels: LabelSet) -> list[Tensor]:
        prefix = prefix_of(self.reader, labels)
        prefixed = [with_prefix(self.reader, piece, prefix) for piece in pieces]
        return self.reader.all_states(network.encoder, prefixed, "mean4")  # each (w, d)
