"""The data of a study: sentences to score, labels and support sets, always the same ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.studies.changes import Change, changed
from model.data import bench_files
from model.data.conll import read_conll, without_repeats
from model.data.episodes import greedy_support
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
        supports: Support sets used, at most.
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

    @property
    def table(self) -> str:
        """Name of the table it belongs to."""
        return self.group or self.name

    def runs(self, supports: int) -> int:
        """Runs of a trained arm where at most this many support sets are wanted."""
        return min(self.supports, supports)


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task whose files are read.

    Attributes:
        items: The scored sentences.
        labels: The labels asked.
        supports: The support sets.
    """

    items: tuple[AnnotatedText, ...]
    labels: LabelSet
    supports: tuple[SupportSet, ...]


def open_task(task: Task, data: Path, *, supports: int, limit: int | None = None) -> OpenTask:
    """Read the files of a task.

    Args:
        task: The task.
        data: The data folder.
        supports: Most support sets.
        limit: Score fewer sentences than the task says; None for its own number.

    Raises:
        StudyDataError: If the data folder lacks a file.
        ConllError: If a file has another format, or nothing can be drawn.
    """
    for name in filter(None, (task.test, task.support, task.draw)):
        if not (data / name).exists():
            raise StudyDataError(f"There is no {name} in {data}. Name the data folder with --data.")
    scored = bench_files.read_test(data / task.test, present_only=task.present_only)
    sentences = min(limit, task.sentences) if limit else task.sentences
    if task.fold is not None:
        return _open_fold(task, data, scored.labels, task.runs(supports), sentences)
    places = chosen(len(scored.items), sentences, SENTENCE_SEED)
    items = tuple(scored.items[place] for place in places)
    held = {item.text for item in items}
    if task.support:
        files = bench_files.support_files([data / task.support])[: task.runs(supports)]
        sets = [(f"{task.support}/{path.name}", read_conll(path)) for path in files]
    else:
        sets = [
            (
                f"{task.draw}/{task.shots}shot/{draw}",
                bench_files.drawn_support(
                    data / task.draw, scored.labels, held, shots=task.shots, draw=draw
                ),
            )
            for draw in range(task.runs(supports))
        ]
    return OpenTask(_changed(items, task.change), scored.labels, _sets(sets))


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
