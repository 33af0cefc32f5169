"""``POST /setup``: which version this project is served; no model is loaded for it."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.bodies import read_json
from backend.enrolment import usable_address
from backend.errors import Json, RequestError
from backend.labelstudio.label_config import is_blank, span_control
from backend.labelstudio.messages import SetupRequest
from backend.services import Services, services
from model.errors import AdapterError, BaseModelError
from model.registry import aliases, projects
from model.registry.errors import ArtifactError, RegistryBusyError

log = logging.getLogger(__name__)
router = APIRouter()
LIMIT = 4_000_000


@router.post("/setup")
async def setup(request: Request) -> Response:
    """Answer ``{"model_version": "<project>.<number>"}``; a new project is registered."""
    message = SetupRequest.model_validate(await read_json(request, limit=LIMIT))
    name = await run_in_threadpool(_version, services(request), message)
    return Json({"model_version": name})


def _version(shared: Services, message: SetupRequest) -> str:
    config = message.label_config
    if config is not None and not is_blank(config):
        span_control(config)  # Label Studio shows the message of a refusal under Settings > Model
    if message.project is None:
        raise RequestError(422, "The body names no project.")
    with shared.database.read() as session:
        known = projects.by_uid(session, message.project)
        if known is not None:
            return shared.serving.current(known.id, aliases.served(session, known.id)).name
    if "." not in message.project:
        raise RequestError(422, "The project is expected as <id>.<unix time of its creation>.")
    address = usable_address(message.hostname, shared.settings.label_studio_url)
    try:
        shared.enrolment.enrol(message.project, address, config=config or "")
    except (BaseModelError, AdapterError, ArtifactError, RegistryBusyError) as error:
        # the backend may be up before its base model is; the next call tries again
        log.warning("Project %s is not registered yet: %s", message.project, error)
    return f"{message.project.partition('.')[0]}.0"
