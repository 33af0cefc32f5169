"""Signs of life, versions and metrics: answered at once, whatever else is going on."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.bodies import read_json
from backend.errors import Json
from backend.services import Services, services
from model.registry import projects, versions

log = logging.getLogger(__name__)
router = APIRouter()


@router.get("/")
@router.get("/health")
async def health(request: Request) -> Response:
    """``UP`` while the process runs; asks neither the database nor the engine."""
    ready = services(request).serving.is_ready
    return Json({"status": "UP", "model_class": "nerloop", "model_loaded": ready})


@router.get("/versions")
async def get_versions(request: Request) -> Response:
    """All version names, or those of ``?project=<uid>``."""
    uid = request.query_params.get("project")
    return Json(await run_in_threadpool(_versions, services(request), uid))


@router.post("/versions")
async def post_versions(request: Request) -> Response:
    """The same with ``{"project": uid}`` in the body, as older clients ask."""
    body = await read_json(request, limit=100_000)
    uid = body.get("project") if isinstance(body, dict) else None
    return Json(await run_in_threadpool(_versions, services(request), uid))


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus' text format; without the registry, at least the process's own figures."""
    shared = services(request)
    try:
        text = await run_in_threadpool(shared.metrics.render, shared.doorbell)
    except Exception as error:  # noqa: BLE001 - a scrape must not fail with the database
        log.warning("Metrics without the registry: %s", type(error).__name__)
        text = shared.metrics.render_process()
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _versions(shared: Services, uid: object) -> dict[str, list[str]]:
    with shared.database.read() as session:
        rows = [row for row in projects.every(session) if uid is None or row.uid == uid]
        names = [name for row in rows for name in versions.names(session, row.id)]
    return {"versions": names}
