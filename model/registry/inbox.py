"""The inbox: one small transaction per webhook, each event once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from model.registry.projects import mark_dirty
from model.registry.tables import FeedbackEvent, Lane


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """One event, reduced to ids.

    Attributes:
        action: Label Studio's action name.
        identity: What makes it this event and no other, for example id and time of change.
        annotation_id: The annotation concerned, if one is.
        task_id: The task concerned, if one is.
    """

    action: str
    identity: tuple[Any, ...]
    annotation_id: int | None = None
    task_id: int | None = None

    def dedupe_key(self, project_id: int) -> str:
        """SHA-256 of project, action and identity."""
        material = json.dumps([project_id, self.action, *self.identity], default=str)
        return hashlib.sha256(material.encode("utf-8", "surrogatepass")).hexdigest()


def record(session: Session, project_id: int, events: Sequence[InboxEvent]) -> int:
    """Keep the events not seen before and wake the courier.

    Returns:
        How many were new.
    """
    by_key = {event.dedupe_key(project_id): event for event in events}
    known = set(
        session.scalars(
            select(FeedbackEvent.dedupe_key).where(FeedbackEvent.dedupe_key.in_(by_key))
        )
    )
    fresh = [(key, event) for key, event in by_key.items() if key not in known]
    session.add_all(
        FeedbackEvent(
            project_id=project_id,
            dedupe_key=key,
            action=event.action[:64],
            annotation_id=event.annotation_id,
            task_id=event.task_id,
        )
        for key, event in fresh
    )
    mark_dirty(session, project_id)
    return len(fresh)


def ask_training(session: Session, project_id: int) -> None:
    """A person wants a run now; asking twice asks once."""
    session.execute(update(Lane).where(Lane.project_id == project_id).values(asked=True))
    mark_dirty(session, project_id)
