"""The data of a study: sentences to score, labels and support sets, always the same ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from backend.studies.changes import Change, changed
from backend.studies.episodes import Part, parts_of, stored_or_sampled
from model.data import bench_files
from model.data.bench_files import ScoredFile
from model.data.conll import read_conll, without_repeats
from model.data.episode_files import INTER, SPLITS_FILE
from model.data.episode_sampling import EpisodeShape
from model.data.episodes import greedy_support
from model.data.nested import read_annotated
from model.errors import NerLoopError
from model.evaluation.measurement import SupportSet, chosen
from model.spans import AnnotatedText, LabelSet

SENTENCES, SENTENCE_SEED = 300, 1
FOLDS = 5
MAX_SUPPORTS = 3
Role = Literal["test", "development", "folds"]


class StudyDataError(NerLoopError):
    """The data of a study is not there, or too small for it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the arms of a study are measured on.

    Attributes:
        name: What tables and folders call it.
        test: Path of the scored file below the data folder.
        support: Folder of fixed support files; empty where supports are drawn.
        draw: File that supports are drawn from; empty where they are fixed.
        shots: Mentions per label in a drawn support set.
        role: Whether choices may be made on it (``development``).
        present_only: Ask only labels of the scored file.
        sentences: Sentences scored.
        change: How the scored sentences are changed first.
        fold: Number of the held-out fold of ``test`` and ``draw`` together, whose other folds the
            support is drawn from; None without folds.
        group: Tasks of one group are pooled in one table; empty for a table of its own.
        timed: Whether every run is trained anew, so that times and memory are its own.
        supports: Support sets used, at most; of episodes, how many.
        spaced: Whether one space stands between words.
        overlaps: Whether gold spans may overlap, and methods that can are told so.
        apart: Folder of files whose sentences do not count in a table, though they are scored.
        episodes: How large the episodes are that ``test`` gives; None for support sets.
        split: Which types episodes are sampled from.
    """

    name: str
    test: str
    support: str = ""
    draw: str = ""
    shots: int = 0
    role: Role = "test"
    present_only: bool = False
    sentences: int = SENTENCES
    change: Change | None = None
    fold: int | None = None
    group: str = ""
    timed: bool = False
    supports: int = MAX_SUPPORTS
    spaced: bool = True
    overlaps: bool = False
    apart: str = ""
    episodes: EpisodeShape | None = None
    split: str = INTER

    @property
    def table(self) -> str:
        """Name of the table it belongs to."""
        return self.group or self.name

    def runs(self, supports: int | None) -> int:
        """Runs of a trained arm where at most this many support sets are wanted; None for all."""
        return self.supports if supports is None else min(self.supports, supports)

    def scored(self, limit: int | None) -> int:
        """Sentences that are scored, if there are as many; 0 for all, and for episodes."""
        if limit is None or self.episodes is not None:
            return self.sentences
        return min(limit, self.sentences) if self.sentences else limit


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task whose files are read.

    Attributes:
        items: The scored sentences; of episodes the queries of all, in order.
        labels: The labels asked; of episodes those of the whole file.
        supports: The support sets.
        episodes: The episodes one by one; none for other tasks.
        shape: What the episodes are, as reports tell it.
    """

    items: tuple[AnnotatedText, ...]
    labels: LabelSet
    supports: tuple[SupportSet, ...]
    episodes: tuple[Part, ...] = ()
    shape: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is asked and measured at once: every episode, or everything."""
        return self.episodes or (Part(self.labels, self.items, self.supports),)


def open_task(
    task: Task,
    data: Path,
    *,
    supports: int | None,
    limit: int | None = None,
    episodes: Path | None = None,
) -> OpenTask:
    """Read the files of a task.

    Args:
        task: The task.
        data: The data folder.
        supports: Most support sets; None for all that it has.
        limit: Score fewer sentences than the task says; None for its own number.
        episodes: Folder of sampled episodes; where it lacks them, they are sampled.

    Raises:
        StudyDataError: If the data folder lacks a file.
        ConllError: If a file has another format, or nothing can be drawn.
    """
    for name in filter(None, (task.test, task.support, task.draw)):
        if not (data / name).exists():
            raise StudyDataError(f"There is no {name} in {data}. Name the data folder with --data.")
    scored = bench_files.read_test(
        data / task.test, present_only=task.present_only, spaced=task.spaced
    )
    sentences = task.scored(limit)
    if task.episodes is not None:
        return _open_episodes(task, task.episodes, data, scored, task.runs(supports), episodes)
    if task.fold is not None:
        return _open_fold(task, data, scored.labels, task.runs(supports), sentences)
    places = chosen(len(scored.items), sentences, SENTENCE_SEED)
    items = tuple(scored.items[place] for place in places)
    held = {item.text for item in items}
    if task.support:
        files = bench_files.support_files([data / task.support])[: task.runs(supports)]
        sets = [(f"{task.support}/{path.name}", read_annotated(path)) for path in files]
    else:
        sets = [
            (
                f"{task.draw}/{task.shots}shot/{draw}",
                bench_files.drawn_support(
                    data / task.draw,
                    scored.labels,
                    held,
                    shots=task.shots,
                    draw=draw,
                    spaced=task.spaced,
                ),
            )
            for draw in range(task.runs(supports) if task.draw else 0)
        ]
    return OpenTask(_changed(items, task.change), scored.labels, _sets(sets))


def places_apart(task: Task, data: Path, items: Sequence[AnnotatedText]) -> frozenset[int]:
    """Places of the scored sentences that do not count in a table.

    Raises:
        StudyDataError: If the data folder lacks a file.
        ConllError: If a file has another format.
    """
    if not task.apart:
        return frozenset()
    if not (data / task.apart).exists():
        raise StudyDataError(f"There is no {task.apart} in {data}. Name the folder with --data.")
    files = bench_files.support_files([data / task.apart])
    return frozenset(bench_files.also_in(items, files, spaced=task.spaced))


def _open_episodes(
    task: Task,
    shape: EpisodeShape,
    data: Path,
    scored: ScoredFile,
    number: int,
    folder: Path | None,
) -> OpenTask:
    test = data / task.test
    stored = stored_or_sampled(
        test, task.test, scored, task.split, test.parent / SPLITS_FILE, shape, number, folder
    )
    name = f"{task.split}/{shape.ways}way-{shape.shots}shot"
    parts = parts_of(scored, stored.episodes[:number], name)
    return OpenTask(
        tuple(item for part in parts for item in part.items),
        scored.labels,
        tuple(support for part in parts for support in part.supports),
        parts,
        {"split": task.split, "episodes": len(parts), **asdict(shape)},
    )


def _open_fold(task: Task, data: Path, labels: LabelSet, supports: int, limit: int) -> OpenTask:
    everything = without_repeats(
        item for name in (task.test, task.draw) for item in read_conll(data / name)
    )
    order = random.Random(SENTENCE_SEED).sample(range(len(everything)), len(everything))
    # every fold holds each fifth sentence of one random order
    held = set(order[task.fold :: FOLDS])
    own = [item for place, item in enumerate(everything) if place in held]
    rest = [item for place, item in enumerate(everything) if place not in held]
    items = tuple(own[place] for place in chosen(len(own), limit, SENTENCE_SEED))
    sets = [
        (
            f"{task.name}/{task.shots}shot/{draw}",
            greedy_support(rest, labels.names, task.shots, draw),
        )
        for draw in range(supports)
    ]
    return OpenTask(_changed(items, task.change), labels, _sets(sets))


def _changed(items: Sequence[AnnotatedText], change: Change | None) -> tuple[AnnotatedText, ...]:
    if change is None:
        return tuple(items)
    return tuple(changed(item, change, seed) for seed, item in enumerate(items))


def _sets(named: Sequence[tuple[str, Sequence[AnnotatedText]]]) -> tuple[SupportSet, ...]:
    return tuple(SupportSet(name, tuple(items)) for name, items in named)
