"""Texts that wait for a person, in the order of the queue, and how large the blind slice is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from model.loop.arms import HELD_OUT
from model.registry.gold_rows import held_out_count
from model.registry.predictions import open_tasks
from model.registry.tables import Task


@dataclass(frozen=True, slots=True)
class OpenText:
    """A task nobody has annotated: Label Studio's number of it, its text, whether it is blind."""

    task_id: int
    text: str
    held_out: bool


@dataclass(frozen=True, slots=True)
class HeldOutSlice:
    """Texts kept aside for the gate: all of them, and those with gold that counts there."""

    texts: int
    annotated: int


def open_texts(session: Session, project_id: int) -> list[OpenText]:
    """All texts without an annotation, those the queue asks for first."""
    rows = session.execute(open_tasks(project_id)).all()
    return [OpenText(task.task_id, text, task.arm == HELD_OUT) for task, text in rows]


def held_out_slice(session: Session, project_id: int) -> HeldOutSlice:
    """How much of a project is held out, and how much of that is annotated."""
    wanted = select(func.count()).where(
        Task.project_id == project_id, Task.arm == HELD_OUT, Task.gone_at.is_(None)
    )
    return HeldOutSlice(session.scalar(wanted) or 0, held_out_count(session, project_id))
