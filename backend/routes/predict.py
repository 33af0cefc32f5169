"""``POST /predict``: one answer per task, in order, all of one version."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from backend.bodies import read_json
from backend.errors import Json, RequestError
from backend.labelstudio.label_config import SpanControl, span_control
from backend.labelstudio.messages import PredictRequest, TaskMessage
from backend.labelstudio.results import empty_item, prediction_item
from backend.services import Services, services
from model.loop.arms import HELD_OUT, arm_of
from model.registry import aliases, projects
from model.registry.aliases import Served
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter()
LIMIT = 64_000_000
BLIND_SCORE = 0.5
"""Score of a held-out task's empty answer; its real one would tell how hard the text is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to one task comes from: a text to predict, or nothing."""

    text: str | None
    held_out: bool


@router.post("/predict")
async def predict(request: Request) -> Response:
    """Answer every task; the engine works outside the event loop."""
    shared = services(request)
    try:
        shared.turnstile.enter()
    except RequestError:
        shared.metrics.refused.inc()
        raise
    try:
        message = PredictRequest.model_validate(await read_json(request, limit=LIMIT))
        results = await to_thread.run_sync(
            answer_tasks, shared, message, limiter=shared.turnstile.limiter
        )
    finally:
        shared.turnstile.leave()
    return Json({"results": results})


def answer_tasks(shared: Services, message: PredictRequest) -> list[dict[str, Any]]:
    """The items of the answer: as many as tasks, in their order.

    Raises:
        UnsupportedConfigError: If the labeling config cannot be used.
        NerLoopError: If the served version cannot answer.
    """
    begun = time.monotonic()
    # the request's own config, not the stored one: the answer must fit what is asked for now
    control = span_control(message.label_config) if message.label_config else None
    project, served = _project(shared, message)
    control = control or span_control(project.label_config)
    places = [_place(project, control, task) for task in message.tasks]
    texts = [place.text for place in places if place.text is not None]
    chosen, predictions = shared.serving.predict(project.id, served, texts, control.label_set)
    waiting = iter(predictions)
    results = [
        empty_item(chosen.name, BLIND_SCORE if place.held_out else 0.0)
        if place.text is None
        else prediction_item(control, place.text, next(waiting), version=chosen.name)
        for place in places
    ]
    shared.metrics.predicted.inc(len(results))
    shared.metrics.predict_seconds.observe(time.monotonic() - begun)
    return results


def _project(shared: Services, message: PredictRequest) -> tuple[Project, Served]:
    with shared.database.read() as session:
        project = _known_project(session, message.project)
        if project is not None:
            return project, aliases.served(session, project.id)
    if message.project is None or "." not in message.project:
        raise RequestError(422, "The body does not name a project that is connected.")
    project = shared.enrolment.enrol(
        message.project, shared.settings.label_studio_url, config=message.label_config or ""
    )
    with shared.database.read() as session:
        return project, aliases.served(session, project.id)


def _known_project(session: Session, uid: str | None) -> Project | None:
    if uid is not None and "." in uid:
        return projects.by_uid(session, uid)
    # other clients leave the project out or send its bare number
    rows = [row for row in projects.every(session) if uid is None or row.ls_id == int(uid)]
    return rows[0] if len(rows) == 1 else None


def _place(project: Project, control: SpanControl, task: TaskMessage) -> Place:
    if task.id is not None and task.created_at:
        arm = arm_of(project.salt, task.id, task.created_at, project.held_out_share)
        if arm == HELD_OUT:
            return Place(None, held_out=True)
    return Place(control.text_of(task.data), held_out=False)
