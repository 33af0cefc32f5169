"""The label-semantics dual encoder: words against the texts of their tags."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from model.baselines.answers import bio_answers
from model.baselines.reading import Reader, TaggedPiece, word_tags
from model.baselines.recipe import Answer, Learned, Memory, Question, Recipe, Task
from model.baselines.settings import BaselineConfig
from model.baselines.source_draws import drawn_batches
from model.encoding.loop import TrainedPart
from model.encoding.schedule import Schedule, batches_of
from model.encoding.words import Piece
from model.spans import LabelSet

OUTSIDE_TEXT = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSemanticsConfig(BaselineConfig):
    """Settings of the dual encoder.

    Attributes:
        rate: Peak learning rate on the support set.
        epochs: Passes over it; the last one counts.
        max_steps: Most steps there.
        batch: Pieces of text in a step there.
    """

    target_only: ClassVar[tuple[str, ...]] = ("rate", "epochs", "max_steps", "batch")

    rate: float = 5e-5
    epochs: int = 200
    max_steps: int = 200
    batch: int = 10

    def _is_sound(self) -> bool:
        own = self.rate > 0 and min(self.epochs, self.max_steps, self.batch) >= 1
        return BaselineConfig._is_sound(self) and own


class DualEncoder(nn.Module):
    """An encoder of words, and a second one of tag texts that starts as its copy."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.words = encoder
        self.texts = copy.deepcopy(encoder)


class LabelSemantics(Recipe):
    """Softmax over the dot products of a word with the texts of all BIO tags.

    Ma et al., Label Semantics for Few Shot Named Entity Recognition, Findings of ACL 2022. A tag's
    text is ``begin person`` or ``inside person``, that of O is ``other``; the state of the token
    before it stands for it. Label names alone give an answer, so the source stage can be scored
    without a support set.
    """

    name = "label_semantics"
    answers_unfitted = True

    def __init__(self, reader: Reader, config: LabelSemanticsConfig) -> None:
        super().__init__(reader, config)
        self.settings = config

    def network(self, encoder: Any) -> nn.Module:
        """Both encoders."""
        return DualEncoder(encoder)

    def learn_source(self, network: Any, task: Task) -> Learned:
        """Train both encoders on random batches."""
        batches = drawn_batches(task, self.reader, self.config, bio=True)
        return Learned(self._train(network, task, batches, self.config.source_rate))

    def learn_target(self, network: Any, task: Task) -> Sequence[float]:
        """Train both encoders on the support set."""
        rows = self.reader.tagged(task.items, task.labels.names, bio=True)
        config = self.settings
        schedule = Schedule(config.epochs, config.batch, max_steps=config.max_steps)
        batches = list(batches_of(rows, schedule, task.seed))
        return self._train(network, task, batches, self.settings.rate)

    def remember(self, network: Any, task: Task, source: Memory) -> Memory:
        """The vectors of the tags; nothing of the texts."""
        del source
        return {"tags": self.tag_vectors(network, task.labels)}

    def answer(
        self, network: Any, memory: Memory, pieces: Sequence[Piece], question: Question
    ) -> list[Answer]:
        """The tag with the largest product of every word."""
        tags = memory["tags"] if memory else self.tag_vectors(network, question.fitted)  # (t, d)
        found = self.reader.all_states(network.words, pieces)
        return bio_answers([own @ tags.T for own in found], pieces, question)

    def tag_vectors(self, network: Any, labels: LabelSet) -> Tensor:
        """One vector for each BIO tag, that of O first. Shape ``(1 + 2 labels, d)``."""
        return self.reader.name_states(network.texts, tag_texts(labels))

    def _train(
        self, network: Any, task: Task, batches: Sequence[Sequence[TaggedPiece]], rate: float
    ) -> list[float]:
        def loss_of(rows: Sequence[TaggedPiece]) -> Tensor:
            words = self.reader.states(network.words, [row.piece for row in rows])  # (w, d)
            tags = self.tag_vectors(network, task.labels)  # (t, d)
            return F.cross_entropy(words @ tags.T, word_tags(rows))

        parts = [TrainedPart(list(network.parameters()), rate)]
        return self.descend(parts, batches, loss_of, task)


def tag_texts(labels: LabelSet) -> list[str]:
    """The texts of all BIO tags in the order of :func:`model.encoding.tags.tags_of`."""
    return [
        OUTSIDE_TEXT,
        *(f"{part} {label.question}" for label in labels for part in ("begin", "inside")),
    ]
