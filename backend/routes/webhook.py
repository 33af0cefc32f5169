"""``POST /webhook``: one small transaction, then 201; what really changed is read later."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.bodies import read_json
from backend.errors import Json
from backend.labelstudio.messages import WebhookEvent
from backend.services import Services, services
from model.registry import inbox, projects
from model.registry.errors import RegistryBusyError
from model.registry.inbox import InboxEvent

log = logging.getLogger(__name__)
router = APIRouter()
LIMIT = 16_000_000

DELETIONS = frozenset({"ANNOTATIONS_DELETED", "ANNOTATION_DELETED", "TASKS_DELETED"})
KNOWN = DELETIONS | {
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "TASKS_CREATED",
    "PROJECT_UPDATED",
    "START_TRAINING",
}


@router.post("/webhook")
async def webhook(request: Request) -> Response:
    """Keep the event and wake the courier; unknown actions are welcome too."""
    shared = services(request)
    event = WebhookEvent.model_validate(await read_json(request, limit=LIMIT))
    shared.metrics.events.labels(str(event.action in KNOWN).lower()).inc()
    try:
        status = await run_in_threadpool(_keep, shared, event)
    except RegistryBusyError:
        # the event is lost and the next pass finds the change by reading
        shared.metrics.lost_events.inc()
        raise
    return Json({"status": status}, status_code=201)


def _keep(shared: Services, event: WebhookEvent) -> str:
    uid = event.project.uid if event.project else None
    with shared.doorbell.begin() as session:
        if uid is None:  # "send payload" is off: it may concern any project
            for row in projects.connected(session):
                projects.mark_dirty(session, row.id)
            return "ok"
        project = projects.by_uid(session, uid)
        if project is None:
            log.info("Webhook %s of a project that is not connected: %s", event.action, uid)
            return "unknown project"
        if event.action == "START_TRAINING":
            inbox.ask_training(session, project.id)
        else:
            inbox.record(session, project.id, inbox_events(event))
    return "ok"


def inbox_events(event: WebhookEvent) -> list[InboxEvent]:
    """One inbox event per annotation, and one for all tasks together.

    A deletion carries no time, and needs none: annotation ids are not used again.
    """
    events = [
        InboxEvent(
            event.action,
            ("annotation", thing.id, None if event.action in DELETIONS else thing.updated_at),
            annotation_id=thing.id,
            task_id=thing.task,
        )
        for thing in event.touched_annotations()
        if thing.id is not None
    ]
    if event.action in ("TASKS_CREATED", "TASKS_DELETED"):
        ids = sorted(thing.id for thing in event.tasks if thing.id is not None)
        events.append(InboxEvent(event.action, ("tasks", *ids)))
    return events
