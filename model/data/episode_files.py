"""Sampled episodes as JSON: which file they were sampled from, how, and the places in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from model.data.conll import ConllError
from model.data.episode_sampling import Episode, EpisodeShape, only_of
from model.spans import AnnotatedText

INTER: Final = "inter"
INTRA_LIKE: Final = "intra-like"
INTRA_LIKE_DEV: Final = "intra-like-dev"
SPLITS: Final = (INTER, INTRA_LIKE, INTRA_LIKE_DEV)
SPLITS_FILE: Final = "type_splits.json"
_PARTS: Final = {INTRA_LIKE: "test", INTRA_LIKE_DEV: "dev"}


class EpisodeFileError(ConllError):
    """The file does not hold what episodes need."""


@dataclass(frozen=True, slots=True)
class StoredEpisodes:
    """Episodes with their origin.

    Attributes:
        file: Name of the file they were sampled from.
        digest: SHA-256 of that file.
        split: One of :data:`SPLITS`.
        shape: Ways, shots, queries and seed.
        episodes: The episodes in order.
    """

    file: str
    digest: str
    split: str
    shape: EpisodeShape
    episodes: tuple[Episode, ...]

    def require(self, digest: str, split: str, shape: EpisodeShape, number: int) -> None:
        """Make sure that these are the episodes asked for.

        Raises:
            EpisodeFileError: If they were sampled from another file or otherwise, or are too few.
        """
        there = {"split": self.split, **asdict(self.shape)}
        different = [
            f"{name} {value}, there {there[name]}"
            for name, value in {"split": split, **asdict(shape)}.items()
            if value != there[name]
        ]
        if self.digest != digest:
            different.append("another file")
        if number > len(self.episodes):
            different.append(f"{number} episodes, there {len(self.episodes)}")
        if different:
            raise EpisodeFileError(
                f"The stored episodes of {self.file} are not those asked for: "
                f"{'; '.join(different)}. Name another file of episodes."
            )

    def write(self, path: Path) -> None:
        """Write them, one episode per line.

        Raises:
            OSError: If the file cannot be written.
        """
        head = {"file": self.file, "digest": self.digest, "split": self.split}
        text = json.dumps({**head, **asdict(self.shape), "episodes": []}, indent=2)
        rows = ",\n".join(f"    {json.dumps(asdict(own))}" for own in self.episodes)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("[]", f"[\n{rows}\n  ]") + "\n", encoding="utf-8")


def read_episodes(path: Path) -> StoredEpisodes:
    """Read what :meth:`StoredEpisodes.write` wrote.

    Raises:
        EpisodeFileError: If the file cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        shape = EpisodeShape(*(int(value[name]) for name in EpisodeShape.__dataclass_fields__))
        episodes = tuple(_episode(row) for row in value["episodes"])
        file, digest, split = (str(value[name]) for name in ("file", "digest", "split"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EpisodeFileError(f"{path} holds no sampled episodes: {error}") from error
    return StoredEpisodes(file, digest, split, shape, episodes)


def _episode(row: Mapping[str, Any]) -> Episode:
    support, query = (tuple(int(place) for place in row[name]) for name in ("support", "query"))
    return Episode(tuple(str(name) for name in row["types"]), support, query)


def split_types(
    items: Sequence[AnnotatedText], names: Sequence[str], split: str, splits: Path
) -> tuple[str, ...]:
    """The types of a split that occur in a file, in the order of its labels.

    INTER keeps every type of the file: its files are split by type already. The INTRA-like split
    takes the types that the published INTRA split keeps for test (or dev), of those in the file.

    Args:
        items: All sentences of the file.
        names: Names of the labels.
        split: One of :data:`SPLITS`.
        splits: File with the published lists of types, ``{"intra": {"test": [...], ...}, ...}``.

    Raises:
        EpisodeFileError: If there is no such split, or its list cannot be read.
    """
    present = {span.label for item in items for span in item.spans}
    if split == INTER:
        return tuple(name for name in names if name in present)
    listed = intra_types(splits, _PARTS.get(split, split))
    return tuple(name for name in names if name in present & listed)


def intra_source(items: Sequence[AnnotatedText], splits: Path) -> list[AnnotatedText]:
    """The sentences that a source stage before INTRA-like episodes may learn from.

    They have mentions of INTRA's training types alone, so no type of an episode occurs in them, and
    no sentence of an episode is among them.

    Args:
        items: Sentences of a file that holds types of all parts.
        splits: ``type_splits.json``.

    Raises:
        EpisodeFileError: If the list cannot be read.
    """
    return [items[place] for place in only_of(items, intra_types(splits, "train"))]


def intra_types(splits: Path, part: str) -> frozenset[str]:
    """The types that the published INTRA split keeps for a part.

    Args:
        splits: ``type_splits.json``.
        part: ``train``, ``dev`` or ``test``.

    Raises:
        EpisodeFileError: If there is no such part, or the file cannot be read.
    """
    try:
        return frozenset(map(str, json.loads(splits.read_text(encoding="utf-8"))["intra"][part]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EpisodeFileError(f"{splits} lists no INTRA types for {part!r}: {error}") from error
