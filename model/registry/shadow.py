"""Shadow scores: what versions had predicted before people answered, against what people said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from model.evaluation.bootstrap import f1_interval
from model.evaluation.metrics import Counts, count
from model.loop.arms import ACTIVE, HELD_OUT, RANDOM
from model.registry import aliases
from model.registry.gold_rows import current_gold
from model.registry.previous import previous_served
from model.registry.projects import by_id
from model.registry.tables import AnnotationHead, AnnotationRevision, Task
from model.registry.tables_versions import AdapterVersion, SnapshotItem, StoredPrediction
from model.spans import Span

Stream = Literal["held-out", "random", "active"]
State = Literal["served", "candidate", "previous"]

STREAMS: tuple[Stream, ...] = (HELD_OUT, RANDOM, ACTIVE)


@dataclass(frozen=True, slots=True)
class ShadowLabel:
    """One label among the last documents: gold spans, and F1 in [0, 1]."""

    label: str
    gold: int
    f1: float


@dataclass(frozen=True, slots=True)
class ShadowPoint:
    """F1 of the last documents up to one of them.

    Attributes:
        document: Which document of the stream it was, from 1, in the order they were answered.
        task_id: Label Studio's task.
        f1: Rolling F1, in [0, 1].
    """

    document: int
    task_id: int
    f1: float


@dataclass(frozen=True, slots=True)
class ShadowSeries:
    """Shadow scores of one version in one stream; streams are never mixed.

    Attributes:
        stream: ``held-out`` is blind and uniform, so unbiased; ``random`` is uniform, but people
            saw one version's spans; ``active`` holds the texts that were hard for a version.
        number: The version's number.
        state: ``served``, ``candidate``, or ``previous`` for the one served before.
        documents: Documents behind ``f1``, at most the number asked for.
        total: Documents of the stream the version had predicted in time.
        f1: Micro F1 of the last documents, in [0, 1]; None without documents.
        low: Lower bound of its 95 % interval, from a bootstrap over documents.
        high: Upper bound.
        labels: The same by label, those with the most gold first.
        points: Rolling F1 after each document, oldest first.
    """

    stream: Stream
    number: int
    state: State
    documents: int
    total: int
    f1: float | None
    low: float | None
    high: float | None
    labels: tuple[ShadowLabel, ...]
    points: tuple[ShadowPoint, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """One prediction that was there before its gold."""

    task_id: int
    gold: tuple[Span, ...]
    said: tuple[Span, ...]


def series(
    session: Session, project_id: int, last: int = 100, *, resting: bool = True
) -> list[ShadowSeries]:
    """Shadow scores of served, candidate and previous version, each in three streams.

    A document counts for a version if its prediction was stored before the present gold was first
    seen, and the version did not learn from that text. Spans of labels the project no longer asks
    for do not count.

    Args:
        session: An open session.
        project_id: The project.
        last: How many of the newest documents make up a score.
        resting: Whether candidates of methods the project trains with no more are told too.

    Returns:
        For each version three series, in the order of :data:`STREAMS`.
    """
    watched = _watched(session, project_id, resting=resting)
    answers = _answers(session, project_id, [version for version, _ in watched])
    return [
        _series(stream, version.number, state, answers[version.id, stream], last)
        for version, state in watched
        for stream in STREAMS
    ]


def _watched(
    session: Session, project_id: int, *, resting: bool
) -> list[tuple[AdapterVersion, State]]:
    serving = aliases.served(session, project_id).version_id
    named: dict[int, State] = {serving: "served"}
    for version_id, name in aliases.states(session, project_id).items():
        if name == "candidate":  # one for each lane
            named.setdefault(version_id, "candidate")
    before = previous_served(session, project_id)
    method = by_id(session, project_id).method
    rows = session.scalars(select(AdapterVersion).where(AdapterVersion.project_id == project_id))
    found: list[tuple[AdapterVersion, State]] = []
    for row in rows:
        if row.number == before:
            named.setdefault(row.id, "previous")
        state = named.get(row.id)
        rests = state == "candidate" and row.method != method
        if state is not None and (resting or not rests):
            found.append((row, state))
    order: tuple[State, ...] = ("served", "candidate", "previous")
    return sorted(found, key=lambda item: (order.index(item[1]), -item[0].number))


def _answers(
    session: Session, project_id: int, versions: Sequence[AdapterVersion]
) -> dict[tuple[int, str], list[_Answer]]:
    """By version and stream, in the order the gold was first seen."""
    gold, arms = current_gold(session, project_id)
    asked = {label["name"] for label in by_id(session, project_id).label_set}
    chosen = {item.revision_id: item for item in gold}
    learnt = _learnt(session, versions)
    found: dict[tuple[int, str], list[_Answer]] = {
        (version.id, stream): [] for version in versions for stream in STREAMS
    }
    rows = session.execute(
        select(
            StoredPrediction.version_id,
            StoredPrediction.spans,
            AnnotationRevision.id,
            Task.task_id,
        )
        .join(Task, Task.id == StoredPrediction.task_ref)
        .join(AnnotationHead, AnnotationHead.task_ref == Task.id)
        .join(AnnotationRevision, AnnotationRevision.id == AnnotationHead.revision_id)
        .where(
            Task.project_id == project_id,
            StoredPrediction.version_id.in_([version.id for version in versions]),
            StoredPrediction.created_at < AnnotationRevision.first_seen,
        )
        .order_by(AnnotationRevision.first_seen, AnnotationRevision.id)
    )
    for version_id, spans, revision_id, task_id in rows:
        truth = chosen.get(revision_id)
        if truth is None or (version_id, truth.text_digest) in learnt:
            continue
        kept = found[version_id, arms[truth.task_ref]]
        said = tuple(Span(int(s), int(e), str(n)) for s, e, n, _ in spans if n in asked)
        people = tuple(Span(*key) for key in set(truth.spans) if key[2] in asked)
        kept.append(_Answer(task_id, people, said))
    return found


def _learnt(session: Session, versions: Sequence[AdapterVersion]) -> set[tuple[int, str]]:
    """(version, text digest) of every text a version was trained on."""
    rows = session.execute(
        select(AdapterVersion.id, SnapshotItem.text_digest)
        .join(SnapshotItem, SnapshotItem.snapshot_id == AdapterVersion.snapshot_id)
        .where(AdapterVersion.id.in_([version.id for version in versions]))
    )
    return {(version_id, digest) for version_id, digest in rows}


def _series(
    stream: Stream, number: int, state: State, answers: Sequence[_Answer], last: int
) -> ShadowSeries:
    rows = [_counted(item.gold, item.said) for item in answers]
    counts = np.array(rows, dtype=np.int64).reshape(-1, 3)  # (n, 3)
    newest = counts[-last:]
    low, high = f1_interval(newest.astype(np.float64)) if len(newest) else (None, None)
    return ShadowSeries(
        stream=stream,
        number=number,
        state=state,
        documents=len(newest),
        total=len(answers),
        f1=_f1(newest) if len(newest) else None,
        low=low,
        high=high,
        labels=_labels(answers[-last:]),
        points=tuple(
            ShadowPoint(place, item.task_id, _f1(counts[max(0, place - last) : place]))
            for place, item in enumerate(answers, start=1)
        ),
    )


def _labels(answers: Sequence[_Answer]) -> tuple[ShadowLabel, ...]:
    summed: dict[str, Counts] = {}
    for item in answers:
        for label in {span.label for span in (*item.gold, *item.said)}:
            own = count(
                [span for span in item.gold if span.label == label],
                [span for span in item.said if span.label == label],
            )
            summed[label] = summed.get(label, Counts()) + own
    rows = [ShadowLabel(label, found.gold, found.f1) for label, found in summed.items()]
    return tuple(sorted(rows, key=lambda row: (-row.gold, row.label)))


def _counted(gold: Sequence[Span], said: Sequence[Span]) -> tuple[int, int, int]:
    found = count(gold, said)
    return found.correct, found.predicted, found.gold


def _f1(counts: npt.NDArray[np.int64]) -> float:
    correct, predicted, gold = (int(total) for total in counts.sum(axis=0))
    return Counts(correct, predicted, gold).f1
