"""What two versions were trained on: texts of one alone, other gold, shots by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.registry.gold_rows import texts_of
from model.registry.tables import AnnotationRevision, Task
from model.registry.tables_versions import SnapshotItem
from model.spans import Span

SHOWN = 200
"""Texts listed of each kind; the totals are exact whatever their number."""


@dataclass(frozen=True, slots=True)
class TrainingText:
    """A text of one snapshot alone.

    Attributes:
        task_id: Label Studio's task.
        text: Its text; None if it was purged.
        spans: Its gold there.
    """

    task_id: int
    text: str | None
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ChangedGold:
    """A text of both snapshots whose gold differs; as for :class:`TrainingText`."""

    task_id: int
    text: str | None
    first: tuple[Span, ...]
    second: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class TrainingTexts:
    """How many texts, and the first two hundred of them by task."""

    total: int
    shown: tuple[TrainingText, ...]


@dataclass(frozen=True, slots=True)
class ChangedGolds:
    """How many texts with other gold, and the first two hundred of them by task."""

    total: int
    shown: tuple[ChangedGold, ...]


@dataclass(frozen=True, slots=True)
class LabelShots:
    """Shots of one label in both snapshots."""

    label: str
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class DataDifference:
    """What distinguishes the training data of two versions; version 0 has none.

    Attributes:
        first_texts: Texts of the first version's snapshot.
        second_texts: Texts of the second's.
        first_shots: Annotated spans of the first.
        second_shots: Annotated spans of the second.
        only_first: Texts of the first alone.
        only_second: Texts of the second alone.
        changed: Texts of both whose gold differs.
        labels: Shots by label, in the order of the names.
    """

    first_texts: int
    second_texts: int
    first_shots: int
    second_shots: int
    only_first: TrainingTexts
    only_second: TrainingTexts
    changed: ChangedGolds
    labels: tuple[LabelShots, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    task_id: int
    digest: str
    spans: tuple[Span, ...]


def data_difference(session: Session, first: int | None, second: int | None) -> DataDifference:
    """Compare two snapshots, each by its row, None for a version that was not trained.

    Texts are the same if their words are: a text that was imported again has another task.
    """
    all_first, all_second = _items(session, (first, second))
    one, two = _by_digest(all_first), _by_digest(all_second)
    gone = [item for digest, item in one.items() if digest not in two]
    come = [item for digest, item in two.items() if digest not in one]
    both = [(item, two[digest]) for digest, item in one.items() if digest in two]
    moved = [(old, new) for old, new in both if old.spans != new.spans]
    listed = (*gone[:SHOWN], *come[:SHOWN], *(old for old, _ in moved[:SHOWN]))
    texts = texts_of(session, sorted({item.digest for item in listed}))
    shots = _shots(all_first), _shots(all_second)
    return DataDifference(
        first_texts=len(all_first),
        second_texts=len(all_second),
        first_shots=sum(shots[0].values()),
        second_shots=sum(shots[1].values()),
        only_first=_listed(gone, texts),
        only_second=_listed(come, texts),
        changed=ChangedGolds(
            len(moved),
            tuple(
                ChangedGold(old.task_id, texts.get(old.digest), old.spans, new.spans)
                for old, new in moved[:SHOWN]
            ),
        ),
        labels=tuple(
            LabelShots(label, shots[0][label], shots[1][label])
            for label in sorted(shots[0].keys() | shots[1].keys())
        ),
    )


def _items(session: Session, ids: tuple[int | None, int | None]) -> tuple[list[_Item], list[_Item]]:
    found: dict[int | None, list[_Item]] = {item: [] for item in ids}
    rows = session.execute(
        select(SnapshotItem, Task.task_id, AnnotationRevision.spans)
        .join(Task, Task.id == SnapshotItem.task_ref)
        .join(AnnotationRevision, AnnotationRevision.id == SnapshotItem.revision_id)
        .where(SnapshotItem.snapshot_id.in_([item for item in ids if item is not None]))
        .order_by(SnapshotItem.task_ref)
    )
    for row, task_id, spans in rows:
        gold = tuple(sorted({Span(int(s), int(e), str(label)) for s, e, label in spans}))
        found[row.snapshot_id].append(_Item(task_id, row.text_digest, gold))
    return found[ids[0]], found[ids[1]]


def _by_digest(items: Iterable[_Item]) -> dict[str, _Item]:
    first: dict[str, _Item] = {}
    for item in items:
        first.setdefault(item.digest, item)
    return first


def _shots(items: Iterable[_Item]) -> Counter[str]:
    return Counter(span.label for item in items for span in item.spans)


def _listed(items: Sequence[_Item], texts: Mapping[str, str]) -> TrainingTexts:
    shown = (TrainingText(i.task_id, texts.get(i.digest), i.spans) for i in items[:SHOWN])
    return TrainingTexts(len(items), tuple(shown))
