"""The inbox: one small transaction per webhook, each event once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from model.registry.base import insert_missing, utc_now
from model.registry.projects import by_id, mark_dirty
from model.registry.tables import FeedbackEvent, Lane

MOST_EVENTS: Final = 500
KEPT_DAYS: Final = 30


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
    mark_dirty(session, project_id)  # the project's row first: every writer locks in this order
    if len(events) > MOST_EVENTS:
        events = [_together(events)]
    by_key = {event.dedupe_key(project_id): event for event in events}
    rows = [
        {
            "project_id": project_id,
            "dedupe_key": key,
            "action": event.action[:64],
            "annotation_id": event.annotation_id,
            "task_id": event.task_id,
            "received_at": utc_now(),
        }
        for key, event in by_key.items()
    ]
    return insert_missing(session, FeedbackEvent, rows)


def _together(events: Sequence[InboxEvent]) -> InboxEvent:
    """One witness for a change too large to be told one by one; the pass reads what it was."""
    identities = sorted(json.dumps(event.identity, default=str) for event in events)
    digest = hashlib.sha256("\n".join(identities).encode("utf-8", "surrogatepass")).hexdigest()
    return InboxEvent(events[0].action, ("many", len(events), digest))


def forget_old(session: Session, days: int = KEPT_DAYS) -> None:
    """Drop events older than so many days; they were hints, the heads hold the truth."""
    before = utc_now() - timedelta(days=days)
    session.execute(delete(FeedbackEvent).where(FeedbackEvent.received_at < before))


def ask_training(session: Session, project_id: int) -> None:
    """A person wants a run now; asking twice asks once."""
    mark_dirty(session, project_id)
    method = by_id(session, project_id).method
    lane = update(Lane).where(Lane.project_id == project_id, Lane.method == method)
    session.execute(lane.values(asked=True))
