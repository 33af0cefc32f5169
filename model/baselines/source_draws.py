"""What the source stages read of a corpus: random batches, or random episodes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from model.baselines.reading import Reader, TaggedPiece
from model.baselines.recipe import Task
from model.baselines.settings import BaselineConfig, EpisodicConfig
from model.data.episode_sampling import EpisodeShape, sample_episodes
from model.encoding.running import by_length
from model.spans import AnnotatedText, LabelSet

_BUCKET = 16


@dataclass(frozen=True, slots=True)
class DrawnEpisode:
    """An episode with its texts.

    Attributes:
        labels: The labels asked.
        support: What is learned from.
        query: What is asked about.
    """

    labels: LabelSet
    support: Sequence[AnnotatedText]
    query: Sequence[AnnotatedText]


def drawn_batches(
    task: Task, reader: Reader, config: BaselineConfig, *, bio: bool = False
) -> list[list[TaggedPiece]]:
    """Random batches of a corpus, one for each source step, of pieces of similar length.

    Every text is used once before any is used again.
    """
    order = random.Random(task.seed)
    batches: list[list[TaggedPiece]] = []
    left: list[int] = []
    while len(batches) < config.source_steps:
        rows: list[TaggedPiece] = []
        while len(rows) < _BUCKET * config.source_batch:
            left = left or order.sample(range(len(task.items)), len(task.items))
            rows += reader.tagged([task.items[left.pop()]], task.labels.names, bio=bio)
        sizes = [len(row.piece.ids) for row in rows]
        groups = list(by_length(rows, sizes, config.source_batch))
        batches += order.sample(groups, len(groups))
    return batches[: config.source_steps]


def drawn_episodes(task: Task, config: EpisodicConfig) -> list[DrawnEpisode]:
    """Random episodes of a corpus, one for each source step.

    Raises:
        EpisodeError: If the corpus has too few texts for such episodes.
    """
    present = {span.label for item in task.items for span in item.spans}
    labels = {label.name: label for label in task.labels if label.name in present}
    shape = EpisodeShape(min(config.ways, len(labels)), config.shots, config.queries, task.seed)
    return [
        DrawnEpisode(
            LabelSet(tuple(labels[name] for name in episode.types)),
            [task.items[place] for place in episode.support],
            [task.items[place] for place in episode.query],
        )
        for episode in sample_episodes(task.items, list(labels), shape, config.source_steps)
    ]
