"""Training runs and shadow scores by REST."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from backend.routes import admin_views as views
from backend.routes.admin_access import REFUSALS, answer, bounded, of_project
from backend.routes.admin_answers import RunAnswer, RunInFullAnswer
from model.registry import runs, shadow
from model.registry.shadow import ShadowSeries

router = APIRouter(tags=["runs"])
Limit = Annotated[int, Query(ge=1, le=1000, description="How many, newest first.")]
Last = Annotated[int, Query(ge=1, le=10_000, description="Newest documents that make a score.")]


@router.get("/projects/{project:int}/runs", response_model=list[RunAnswer], responses=REFUSALS)
async def list_runs(request: Request, project: int, limit: Limit = 20) -> Response:
    """The newest training runs first, and why each was asked for."""
    found = await of_project(
        request,
        project,
        lambda session, row: [views.run(item) for item in runs.recent(session, row.id, limit)],
    )
    return answer(list[RunAnswer], found)


@router.get(
    "/projects/{project:int}/runs/{run:int}", response_model=RunInFullAnswer, responses=REFUSALS
)
async def show_run(request: Request, project: int, run: int) -> Response:
    """One run with its log, and while it trains how long it still takes."""
    found = await of_project(
        request, project, lambda session, row: views.run_in_full(session, row, bounded(run))
    )
    return answer(RunInFullAnswer, found)


@router.get("/projects/{project:int}/shadow", response_model=list[ShadowSeries], responses=REFUSALS)
async def list_shadow(request: Request, project: int, last: Last = 100) -> Response:
    """What versions had predicted before people answered: three streams, never mixed."""
    found = await of_project(
        request, project, lambda session, row: shadow.series(session, row.id, last)
    )
    return answer(list[ShadowSeries], found)
