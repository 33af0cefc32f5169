"""Pages about what happened: training runs with their progress, and the audit trail."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.identity import caller_of, may_decide
from backend.pages.heading import heading
from backend.pages.progress import Progress, progress
from backend.pages.rendering import HOME
from backend.pages.trail import PAGE, line
from backend.plots import loss_plot
from backend.routes.admin_access import bounded, of_project
from backend.routes.pages import SVG, shown
from model.registry import audit, lanes, run_log, runs
from model.registry.base import utc_now
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(prefix=HOME, include_in_schema=False)
RUN = "/projects/{project:int}/runs/{run:int}"
RUNS = 50
"""Runs on the page."""


@router.get("/projects/{project:int}/runs")
async def show_runs(request: Request, project: int) -> Response:
    """The newest runs first, with what the trigger last said."""
    caller = caller_of(request)

    def read(session: Session, row: Project) -> dict[str, Any]:
        now = utc_now()
        found = [
            progress(run, run_log.lines(session, run.id) if run.state == "running" else (), now)
            for run in runs.recent(session, row.id, RUNS)
        ]
        return {
            "head": heading(session, row, may_decide(caller, row.id)),
            "lanes": [lane for lane in lanes.of_project(session, row.id) if lane.decision],
            "found": found,
            "ended": [item for item in found if not item.live],
        }

    return await shown(request, "runs.html", **await of_project(request, project, read))


@router.get(RUN)
async def show_run(request: Request, project: int, run: int) -> Response:
    """A run with its loss curve and its log."""
    caller = caller_of(request)

    def read(session: Session, row: Project) -> dict[str, Any]:
        found = _progress(session, row, run)
        made = run_log.version_of(session, found.run.id)
        return {
            "head": heading(session, row, may_decide(caller, row.id)),
            "progress": found,
            "version": made.number if made else None,
        }

    return await shown(request, "run.html", **await of_project(request, project, read))


@router.get(RUN + "/progress")
async def show_progress(request: Request, project: int, run: int, log: str = "") -> Response:
    """The part of a page about a run that changes while it runs."""
    found = await of_project(request, project, lambda session, row: _progress(session, row, run))
    source = request.url.path + ("?log=yes" if log else "")
    return await shown(
        request, "_progress.html", progress=found, number=project, detailed=bool(log), source=source
    )


@router.get(RUN + "/loss.svg")
async def loss_picture(request: Request, project: int, run: int, narrow: bool = False) -> Response:
    """The loss curve of a run."""
    found = await of_project(request, project, lambda session, row: _progress(session, row, run))
    drawn = await run_in_threadpool(
        partial(loss_plot, found.losses, found.run.steps, narrow=narrow)
    )
    return Response(drawn, media_type=SVG)


@router.get("/projects/{project:int}/audit")
async def show_audit(
    request: Request,
    project: int,
    number: Annotated[int, Query(alias="page", ge=1, lt=10**6)] = 1,
) -> Response:
    """Who decided what when and why, refusals included."""
    caller = caller_of(request)

    def read(session: Session, row: Project) -> dict[str, Any]:
        trail = audit.history(session, row.id)
        first = (number - 1) * PAGE
        return {
            "head": heading(session, row, may_decide(caller, row.id)),
            "lines": [line(change) for change in trail[first : first + PAGE]],
            "total": len(trail),
            "number": number,
            "pages": max(1, -(-len(trail) // PAGE)),
        }

    return await shown(request, "audit.html", **await of_project(request, project, read))


def _progress(session: Session, row: Project, run: int) -> Progress:
    found = run_log.of_project(session, row.id, bounded(run))
    return progress(found, run_log.lines(session, found.id), utc_now())
