"""Episodes as parts of a measurement: stored ones, or sampled now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.base.digest import file_digest
from model.data.bench_files import ScoredFile
from model.data.episode_files import StoredEpisodes, read_episodes, split_types
from model.data.episode_sampling import Episode, EpisodeShape, sample_episodes
from model.evaluation.measurement import SupportSet
from model.spans import AnnotatedText, LabelSet


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked with one set of labels.

    Attributes:
        labels: The labels asked.
        items: The sentences scored.
        supports: The support sets.
    """

    labels: LabelSet
    items: tuple[AnnotatedText, ...]
    supports: tuple[SupportSet, ...]


def parts_of(scored: ScoredFile, episodes: Sequence[Episode], name: str) -> tuple[Part, ...]:
    """Every episode with its own labels, queries and support set.

    Args:
        scored: The file they were sampled from.
        episodes: The episodes in order.
        name: What the support sets are called, before their number.
    """
    return tuple(_part(scored, own, f"{name}/{place}") for place, own in enumerate(episodes))


def _part(scored: ScoredFile, episode: Episode, name: str) -> Part:
    asked = tuple(label for label in scored.labels if label.name in episode.types)
    query = tuple(scored.items[place] for place in episode.query)
    support = tuple(scored.items[place] for place in episode.support)
    return Part(LabelSet(asked), query, (SupportSet(name, support),))


def sampled(
    file: Path,
    name: str,
    scored: ScoredFile,
    split: str,
    splits: Path,
    shape: EpisodeShape,
    number: int,
) -> StoredEpisodes:
    """Episodes of a file with their origin.

    Args:
        file: The file.
        name: What it is called.
        scored: Its sentences and labels.
        split: Which types, one of :data:`model.data.episode_files.SPLITS`.
        splits: The published lists of types.
        shape: How large the episodes are, and their seed.
        number: How many.

    Raises:
        EpisodeError: If no such episodes can be sampled.
        EpisodeFileError: If the lists of types cannot be read.
    """
    types = split_types(scored.items, scored.labels.names, split, splits)
    drawn = sample_episodes(scored.items, types, shape, number)
    return StoredEpisodes(name, file_digest(file), split, shape, tuple(drawn))


def stored_or_sampled(
    file: Path,
    name: str,
    scored: ScoredFile,
    split: str,
    splits: Path,
    shape: EpisodeShape,
    number: int,
    folder: Path | None,
) -> StoredEpisodes:
    """Episodes from a folder under the name they have there, or else sampled; both are the same.

    Args:
        file: As for :func:`sampled`, and so are the others.
        name: The same.
        scored: The same.
        split: The same.
        splits: The same.
        shape: The same.
        number: The same.
        folder: Holds ``SPLIT-Nway-Kshot.json``; None samples.

    Raises:
        EpisodeError: If no such episodes can be sampled.
        EpisodeFileError: If the stored ones are of another file or shape.
    """
    kept = None if folder is None else folder / f"{split}-{shape.ways}way-{shape.shots}shot.json"
    if kept is None or not kept.is_file():
        return sampled(file, name, scored, split, splits, shape, number)
    stored = read_episodes(kept)
    stored.require(file_digest(file), split, shape, number)
    return stored
