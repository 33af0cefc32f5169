"""Stored predictions of the served version to Label Studio, then the pointer that shows them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.labelstudio.attachment import TITLE
from backend.labelstudio.client import PUSH, LabelStudioClient
from backend.labelstudio.label_config import SpanControl, span_control
from backend.labelstudio.results import empty_item, prediction_item, unit
from model.registry import aliases, predictions, projects
from model.registry.aliases import Served
from model.registry.predictions import ToPush
from model.registry.session import Database, Session
from model.registry.tables import Project

log = logging.getLogger(__name__)

Validate = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did.

    Attributes:
        pushed: Predictions stored in Label Studio.
        moved_to: The version the pointer was moved to, if it was moved.
    """

    pushed: int = 0
    moved_to: str | None = None


def publish(client: LabelStudioClient, database: Database, project_id: int) -> Published:
    """Bring Label Studio to what ``served`` says now; doing it again does nothing.

    Rows are pushed when the window is predicted: the queue score is a rank among all of them. The
    pointer is moved only when our wish changed, or while it still names our backend; where a
    person moved it since, that is noted and left alone.

    Raises:
        LabelStudioError: If Label Studio cannot be written to; the next call goes on from there.
    """
    with database.read() as session:
        project = projects.by_id(session, project_id)
        served = aliases.served(session, project_id)
        if project.config_error is not None or not _is_ready(session, served):
            return Published()
        waiting = bool(predictions.unpushed(session, served.version_id, 1))
    pushed = _push(client, database, project, served) if waiting else 0
    return Published(pushed, _point(client, database, project, served))


def rows_to_push(
    control: SpanControl, served: Served, items: Sequence[ToPush], is_valid: Validate
) -> list[dict[str, Any]]:
    """The rows of a bulk push; a held-out task's is empty, and so is one that is not valid."""
    rows = []
    for item in items:
        row = empty_item(served.name, item.queue_score)
        if not item.held_out:
            full = prediction_item(control, item.text, item.prediction, version=served.name)
            full["score"] = unit(item.queue_score)
            if is_valid(full):
                row = full
            else:
                log.warning("Task %d gets an empty prediction: not valid.", item.task_id)
        rows.append({"task": item.task_id, **row})
    return rows


def validator(label_config: str) -> Validate:
    """Label Studio's own check of a prediction; it drops invalid ones without a word."""
    from label_studio_sdk.label_interface.interface import LabelInterface

    interface: Any = LabelInterface(label_config)
    return lambda row: (
        not interface.validate_prediction(
            {"model_version": row["model_version"], "score": row["score"], "result": row["result"]},
            return_errors=True,
        )
    )


def _is_ready(session: Session, served: Served) -> bool:
    if predictions.complete(session, served.version_id):
        return True
    # a window that failed is not waited for: what is there is better than nothing
    waiting = {version_id for version_id, _, _ in predictions.waiting(session)}
    return served.version_id not in waiting


def _push(client: LabelStudioClient, database: Database, project: Project, served: Served) -> int:
    control, is_valid = span_control(project.label_config), validator(project.label_config)
    pushed = 0
    while True:
        with database.begin() as session:
            items = predictions.unpushed(session, served.version_id, PUSH)
        if not items:
            return pushed
        # a crash after an earlier push, or somebody who opened a task: no second row then
        there = client.tasks_with(project.ls_id, served.name)
        missing = [item for item in items if item.task_id not in there]
        if missing:
            client.push(project.ls_id, rows_to_push(control, served, missing, is_valid))
        with database.begin() as session:
            predictions.mark_pushed(session, served.version_id, [item.task_ref for item in items])
        pushed += len(missing)


def _point(
    client: LabelStudioClient, database: Database, project: Project, served: Served
) -> str | None:
    wish_is_new = project.pointer_wanted != served.name
    if not wish_is_new and project.pointer_seen != TITLE:
        return None
    if served.name not in client.stored_versions(project.ls_id):
        # no open task, so nothing to point at; or somebody deleted the rows: push them again
        with database.begin() as session:
            again = predictions.forget_pushed(session, served.version_id)
        if again:
            log.info("Project %d: %d predictions were deleted there.", project.ls_id, again)
        return None
    seen = client.set_pointer(project.ls_id, served.name)
    with database.begin() as session:
        projects.set_pointer(session, project.id, seen=seen, wanted=served.name)
    log.info("Project %d is served version %s.", project.ls_id, served.name)
    return served.name
