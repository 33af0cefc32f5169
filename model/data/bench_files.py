"""The files of a measurement: a test with its labels, support files and draws."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.data.conll import ConllError, read_label_set, without_repeats
from model.data.episodes import greedy_support
from model.data.nested import read_annotated
from model.spans import AnnotatedText, Label, LabelSet

LABELS_FILE = "labels.json"


class BenchFilesError(ConllError):
    """The files given do not make a measurement."""


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A test file and what is asked of it.

    Attributes:
        items: All its sentences in order, repeated ones included.
        labels: The labels asked, in order.
    """

    items: tuple[AnnotatedText, ...]
    labels: LabelSet


def read_test(
    path: Path, labels: Path | None = None, *, present_only: bool = False, spaced: bool = True
) -> ScoredFile:
    """Read a test file with its labels.

    Args:
        path: Two-column CoNLL, or nested annotations (``.jsonl``).
        labels: A ``labels.json``; by default the one in the test's folder, and where there is
            none, the types of the test file under their own names in alphabetical order.
        present_only: Ask only labels that occur in the file, for splits with types of their own.
        spaced: Whether one space stands between words.

    Raises:
        ConllError: If a file cannot be read or has another format.
        BenchFilesError: If the test holds no sentence, or no label is left to ask.
    """
    items = tuple(read_annotated(path, spaced=spaced))
    if not items:
        raise BenchFilesError(f"{path} holds no sentence.")
    present = {span.label for item in items for span in item.spans}
    beside = path.parent / LABELS_FILE
    if labels is None and beside.is_file():
        labels = beside
    asked: Iterable[Label]
    asked = read_label_set(labels) if labels is not None else map(Label, sorted(present))
    kept = tuple(label for label in asked if label.name in present or not present_only)
    if not kept:
        raise BenchFilesError(f"{path} names no label to ask for; give the labels with --labels.")
    return ScoredFile(items, LabelSet(kept))


def support_files(paths: Sequence[Path]) -> list[Path]:
    """The files named; a folder stands for its ``*.conll`` files in natural order (2 before 10).

    Raises:
        BenchFilesError: If a path does not exist, or a folder holds no such file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob("*.conll"), key=_natural)
            if not inside:
                raise BenchFilesError(f"The folder {path} holds no *.conll file.")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise BenchFilesError(f"There is no support file {path}.")
    return files


def drawn_support(
    path: Path,
    labels: LabelSet,
    scored: Collection[str],
    *,
    shots: int,
    draw: int,
    spaced: bool = True,
) -> list[AnnotatedText]:
    """A support set drawn from a labelled file: see :func:`model.data.episodes.greedy_support`.

    Args:
        path: As for :func:`read_test`; of repeated sentences the first counts.
        labels: The labels that need shots.
        scored: Texts that must not be drawn, for they are scored.
        shots: Mentions wanted of each label.
        draw: Seed of the draw.
        spaced: Whether one space stands between words.

    Raises:
        ConllError: If the file cannot be read or has another format.
        BenchFilesError: If no sentence with a span is left to draw from.
    """
    different = without_repeats(read_annotated(path, spaced=spaced))
    pool = [item for item in different if item.text not in scored]
    drawn = greedy_support(pool, labels.names, shots, draw)
    if not drawn:
        raise BenchFilesError(
            f"Nothing can be drawn from {path}: no sentence outside the scored ones has a span of "
            "a label that is asked. Score fewer sentences with --limit, or draw from another file."
        )
    return drawn


def also_in(
    items: Sequence[AnnotatedText], paths: Iterable[Path], *, spaced: bool = True
) -> list[int]:
    """Places of the items whose texts also occur in one of the files.

    Raises:
        ConllError: If a file cannot be read or has another format.
    """
    known = {item.text for path in paths for item in read_annotated(path, spaced=spaced)}
    return [place for place, item in enumerate(items) if item.text in known]


def _natural(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"([0-9]+)", path.name)
        if part
    ]
