"""The courier's pass: Label Studio's state becomes heads and the trigger decides, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from model.loop.arms import arm_of, same_time
from model.loop.trigger import TriggerSettings
from model.registry import lanes, predictions, second_looks
from model.registry.base import changed_rows, insert_missing, utc_now
from model.registry.projects import by_id
from model.registry.tables import (
    AnnotationHead,
    AnnotationRevision,
    FeedbackEvent,
    Project,
    StoredText,
    Task,
)
from model.spans import NO_TEXT, text_digest

TaskKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class SeenAnnotation:
    """An annotation as Label Studio shows it now; ``kind`` as in ``AnnotationRevision``."""

    annotation_id: int
    updated_at: str
    content_digest: str
    kind: str
    ground_truth: bool
    spans: tuple[tuple[int, int, str], ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A task as Label Studio shows it now, with all its annotations."""

    task_id: int
    created_at: str
    text: str
    annotations: tuple[SeenAnnotation, ...] = ()


@dataclass(frozen=True, slots=True)
class PassInput:
    """What one pass read.

    Attributes:
        pass_no: The project's ``pass_no`` when reading began.
        dirty_seq: Its ``dirty_seq`` at that moment.
        cursor: Largest ``updated_at`` seen, in Label Studio's words; None keeps the former one.
        tasks: Tasks changed since the former cursor.
        present: Ids and creation times of all tasks, when the whole set was read.
    """

    pass_no: int
    dirty_seq: int
    cursor: str | None
    tasks: Sequence[SeenTask]
    present: frozenset[TaskKey] | None = None


@dataclass(frozen=True, slots=True)
class PassOutcome:
    """What a pass came to.

    Attributes:
        committed: False if another courier was quicker; nothing was changed then.
        runs: Training runs requested, as (run id, method).
        decision: The trigger's reason.
        without_event: Changes found that no webhook had told.
        unread: Tasks that exist there but were never read; read everything next time.
    """

    committed: bool
    runs: tuple[tuple[int, str], ...] = ()
    decision: str = ""
    without_event: int = 0
    unread: int = 0


def apply_pass(
    session: Session,
    project_id: int,
    read: PassInput,
    trigger: TriggerSettings,
    now: datetime | None = None,
) -> PassOutcome:
    """Write what a pass read, decide every lane's trigger, and request what it asks for."""
    moment = now or utc_now()
    claiming = (
        update(Project)
        .where(Project.id == project_id, Project.pass_no == read.pass_no)
        .values(pass_no=read.pass_no + 1, clean_seq=read.dirty_seq)
    )
    if changed_rows(session, claiming) == 0:
        return PassOutcome(committed=False)
    project = by_id(session, project_id)
    if read.cursor is not None:
        project.cursor = read.cursor
    without_event = _write_tasks(session, project, read.tasks, moment)
    unread = 0
    if read.present is not None:
        unread = _write_absences(session, project, read.present, moment)
    session.flush()
    runs, decision = lanes.decide_all(session, project, trigger, moment)
    predictions.request_if_needed(session, project_id)
    second_looks.request_if_due(session, project_id)
    return PassOutcome(True, runs, decision, without_event, unread)


def _write_tasks(
    session: Session, project: Project, seen: Sequence[SeenTask], moment: datetime
) -> int:
    known = _tasks_by_key(session, project.id)
    without_event = 0
    for item in seen:
        key = (item.task_id, same_time(item.created_at))
        digest = text_digest(item.text)
        task = known.get(key)
        if task is None:
            _store_text(session, digest, item.text)
            task = Task(
                project_id=project.id,
                task_id=key[0],
                ls_created_at=key[1],
                arm=arm_of(project.salt, *key, project.held_out_share),
                text_digest=digest,
            )
            session.add(task)
            session.flush()
            known[key] = task
        task.gone_at = None
        if task.text_digest == NO_TEXT and digest != NO_TEXT:
            # the labeling config named another field before: only now the text is known
            _store_text(session, digest, item.text)
            task.text_digest = digest
            predictions.forget_task(session, task.id)
        changed = digest != task.text_digest
        task.unusable = "its text was changed after it was first read" if changed else None
        without_event += _write_annotations(session, project.id, task, item.annotations, moment)
    return without_event


def _store_text(session: Session, digest: str, text: str) -> None:
    insert_missing(session, StoredText, [{"digest": digest, "text": text}])


def _write_annotations(
    session: Session,
    project_id: int,
    task: Task,
    seen: Sequence[SeenAnnotation],
    moment: datetime,
) -> int:
    heads = {
        head.annotation_id: head
        for head in session.scalars(
            select(AnnotationHead).where(AnnotationHead.task_ref == task.id)
        )
    }
    without_event = 0
    for item in seen:
        revision, is_new = _revision(session, project_id, task.id, item)
        if is_new and not _was_told(session, project_id, item.annotation_id):
            without_event += 1
        head = heads.get(item.annotation_id)
        if head is None:
            session.add(
                AnnotationHead(
                    project_id=project_id,
                    annotation_id=item.annotation_id,
                    task_ref=task.id,
                    revision_id=revision.id,
                )
            )
        else:
            head.revision_id, head.gone_at = revision.id, None
    alive = {item.annotation_id for item in seen}
    for annotation_id, head in heads.items():
        if annotation_id not in alive and head.gone_at is None:
            head.gone_at = moment
    task.annotated = bool(alive)
    session.flush()
    return without_event


def _revision(
    session: Session, project_id: int, task_ref: int, item: SeenAnnotation
) -> tuple[AnnotationRevision, bool]:
    found = session.scalar(
        select(AnnotationRevision).where(
            AnnotationRevision.project_id == project_id,
            AnnotationRevision.annotation_id == item.annotation_id,
            AnnotationRevision.updated_at == item.updated_at,
            AnnotationRevision.content_digest == item.content_digest,
        )
    )
    if found is not None:
        return found, False
    row = AnnotationRevision(
        project_id=project_id,
        annotation_id=item.annotation_id,
        task_ref=task_ref,
        updated_at=item.updated_at,
        content_digest=item.content_digest,
        kind=item.kind,
        ground_truth=item.ground_truth,
        spans=[list(span) for span in item.spans],
        reason=item.reason,
    )
    session.add(row)
    session.flush()
    return row, True


def _was_told(session: Session, project_id: int, annotation_id: int) -> bool:
    told = select(FeedbackEvent.id).where(
        FeedbackEvent.project_id == project_id, FeedbackEvent.annotation_id == annotation_id
    )
    return session.scalar(told.limit(1)) is not None


def _write_absences(
    session: Session, project: Project, present: frozenset[TaskKey], moment: datetime
) -> int:
    there = {(task_id, same_time(created)) for task_id, created in present}
    known = _tasks_by_key(session, project.id)
    for key, task in known.items():
        if key not in there and task.gone_at is None:
            task.gone_at = moment
    # one that is there after all counts as unread: reading it brings it back
    return len(there - {key for key, task in known.items() if task.gone_at is None})


def _tasks_by_key(session: Session, project_id: int) -> dict[TaskKey, Task]:
    rows = session.scalars(select(Task).where(Task.project_id == project_id))
    return {(task.task_id, task.ls_created_at): task for task in rows}
