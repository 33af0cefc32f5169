"""Lineage: from a version back to every annotation revision it was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from model.registry.rows import row
from model.registry.tables import AnnotationHead, AnnotationRevision, Task
from model.registry.tables_versions import Snapshot, SnapshotItem, TrainingRun
from model.spans import LabelSet


@dataclass(frozen=True, slots=True)
class LineageItem:
    """One training text of a version.

    Attributes:
        task_id: Label Studio's task.
        annotation_id: Label Studio's annotation whose content was taken.
        revision_id: Row of that content.
        updated_at: When it was last changed, in Label Studio's words.
        text_digest: SHA-256 of the text.
        spans: Number of distinct spans.
        current: Whether the annotation still says the same.
        deleted: Whether the annotation or its task is gone from Label Studio.
    """

    task_id: int
    annotation_id: int
    revision_id: int
    updated_at: str
    text_digest: str
    spans: int
    current: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version comes from; a base adapter has no run, no snapshot and no items.

    ``labels`` are those the project had then, and ``label_spans`` how many spans it learnt of each.
    """

    number: int
    method: str
    artifact_digest: str
    base_name: str
    base_digest: str
    seed: int
    run_id: int | None
    trigger: str | None
    attempts: int
    snapshot_digest: str | None
    labels: tuple[str, ...]
    label_spans: tuple[tuple[str, int], ...]
    shots: int
    items: tuple[LineageItem, ...]


def lineage(session: Session, project_id: int, number: int) -> Lineage:
    """Everything a version was made from.

    Raises:
        UnknownVersionError: If the project has none of that number.
    """
    version = row(session, project_id, number)
    snapshot = session.get(Snapshot, version.snapshot_id) if version.snapshot_id else None
    run = session.get(TrainingRun, version.run_id) if version.run_id else None
    counts: Counter[str] = Counter()
    items = tuple(_items(session, snapshot.id, counts)) if snapshot else ()
    labels = LabelSet.from_json(snapshot.label_set).names if snapshot else ()
    return Lineage(
        number=version.number,
        method=version.method,
        artifact_digest=version.artifact_digest,
        base_name=version.base_name,
        base_digest=version.base_digest,
        seed=version.seed,
        run_id=version.run_id,
        trigger=run.reason if run else None,
        attempts=run.attempt if run else 0,
        snapshot_digest=snapshot.digest if snapshot else None,
        labels=labels,
        label_spans=tuple((name, counts[name]) for name in labels),
        shots=snapshot.shots if snapshot else 0,
        items=items,
    )


def _items(session: Session, snapshot_id: int, counts: Counter[str]) -> Iterator[LineageItem]:
    now = aliased(AnnotationRevision)
    rows = session.execute(
        select(SnapshotItem, AnnotationRevision, Task, AnnotationHead, now)
        .join(AnnotationRevision, AnnotationRevision.id == SnapshotItem.revision_id)
        .join(Task, Task.id == SnapshotItem.task_ref)
        .outerjoin(
            AnnotationHead,
            and_(
                AnnotationHead.project_id == AnnotationRevision.project_id,
                AnnotationHead.annotation_id == AnnotationRevision.annotation_id,
            ),
        )
        .outerjoin(now, now.id == AnnotationHead.revision_id)
        .where(SnapshotItem.snapshot_id == snapshot_id)
        .order_by(Task.task_id, Task.id)
    )
    for item, taken, task, head, today in rows:
        spans = {tuple(span) for span in taken.spans}
        counts.update(str(label) for _, _, label in spans)
        deleted = task.gone_at is not None or head is None or head.gone_at is not None
        # saving the same content again makes a new revision, but changes nothing
        same = today is not None and today.content_digest == taken.content_digest
        yield LineageItem(
            task_id=task.task_id,
            annotation_id=taken.annotation_id,
            revision_id=taken.id,
            updated_at=taken.updated_at,
            text_digest=item.text_digest,
            spans=len(spans),
            current=same and not deleted,
            deleted=deleted,
        )
