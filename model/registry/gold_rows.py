"""Gold annotations as they stand: for training, and for the held-out slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.loop.arms import HELD_OUT
from model.loop.gold import GoldText, Revision, choose_gold
from model.registry.tables import AnnotationHead, AnnotationRevision, StoredText, Task
from model.registry.tables_versions import SnapshotItem
from model.spans import AnnotatedText, Span


@dataclass(frozen=True, slots=True)
class HeldOutText:
    """One gold document of the held-out slice."""

    task_ref: int
    text_digest: str
    gold: AnnotatedText


def training_gold(session: Session, project_id: int) -> list[GoldText]:
    """Gold outside the held-out arm that shares no text with it, one per task, by task."""
    gold, arms = current_gold(session, project_id)
    blind = set(
        session.scalars(
            select(Task.text_digest).where(Task.project_id == project_id, Task.arm == HELD_OUT)
        )
    )
    return [g for g in gold if arms[g.task_ref] != HELD_OUT and g.text_digest not in blind]


def held_out_gold(session: Session, project_id: int) -> list[HeldOutText]:
    """Gold of the held-out arm that no snapshot has ever seen, by task; each text once."""
    wanted = _held_out(session, project_id)
    texts = texts_of(session, [g.text_digest for g in wanted])
    return [
        HeldOutText(g.task_ref, g.text_digest, annotated(texts[g.text_digest], g.spans))
        for g in wanted
    ]


def held_out_count(session: Session, project_id: int) -> int:
    """How many documents :func:`held_out_gold` gives."""
    return len(_held_out(session, project_id))


def _held_out(session: Session, project_id: int) -> list[GoldText]:
    gold, arms = current_gold(session, project_id)
    seen = set(
        session.scalars(
            select(SnapshotItem.text_digest)
            .join(Task, Task.id == SnapshotItem.task_ref)
            .where(Task.project_id == project_id)
        )
    )
    found = []
    for item in gold:
        if arms[item.task_ref] == HELD_OUT and item.text_digest not in seen:
            seen.add(item.text_digest)  # the same text again would say nothing new
            found.append(item)
    return found


def texts_of(session: Session, digests: Sequence[str]) -> dict[str, str]:
    """The stored texts of these digests."""
    found: dict[str, str] = {}
    for first in range(0, len(digests), 500):
        part = digests[first : first + 500]
        rows = session.execute(
            select(StoredText.digest, StoredText.text).where(StoredText.digest.in_(part))
        )
        found.update((digest, text) for digest, text in rows)
    return found


def annotated(text: str, spans: Sequence[tuple[int, int, str]]) -> AnnotatedText:
    """A text with its distinct spans in source order."""
    return AnnotatedText(text, tuple(Span(*span) for span in sorted(set(spans))))


def current_gold(session: Session, project_id: int) -> tuple[list[GoldText], dict[int, str]]:
    """All gold of a project, one per task, by task; and the arm of each annotated task."""
    rows = session.execute(
        select(AnnotationRevision, Task)
        .join(AnnotationHead, AnnotationHead.revision_id == AnnotationRevision.id)
        .join(Task, Task.id == AnnotationHead.task_ref)
        .where(
            AnnotationHead.project_id == project_id,
            AnnotationHead.gone_at.is_(None),
            Task.gone_at.is_(None),
            Task.unusable.is_(None),
        )
    )
    by_task: dict[int, list[Revision]] = defaultdict(list)
    tasks: dict[int, Task] = {}
    for row, task in rows:
        tasks[task.id] = task
        spans = tuple((int(s), int(e), str(label)) for s, e, label in row.spans)
        by_task[task.id].append(
            Revision(row.id, row.annotation_id, row.updated_at, row.kind, row.ground_truth, spans)
        )
    gold = []
    for ref in sorted(by_task):
        chosen = choose_gold(by_task[ref])
        if chosen is not None:
            gold.append(GoldText(ref, tasks[ref].text_digest, chosen.revision_id, chosen.spans))
    return gold, {ref: task.arm for ref, task in tasks.items()}
