"""Projects by REST: which there are, how they are run, and a run asked for by hand."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.identity import Caller, caller_of, seen_projects
from backend.routes import admin_views as views
from backend.routes.admin_access import (
    REFUSALS,
    REFUSED_DECISIONS,
    answer,
    decided,
    of_project,
)
from backend.routes.admin_answers import AskedAnswer, ProjectAnswer, SwitchAnswer
from backend.routes.admin_requests import PolicyRequest, ReasonRequest, body_of, described
from backend.services import services
from model.registry import inbox, switches
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(tags=["projects"])


@router.get("/projects", response_model=list[ProjectAnswer], responses=REFUSALS)
async def list_projects(request: Request) -> Response:
    """Every project the caller may see, with its served and candidate version and its troubles."""
    caller = caller_of(request)

    def work() -> list[ProjectAnswer]:
        with services(request).database.read() as session:
            rows = seen_projects(session, caller)
            return [views.project(session, row) for row in rows]

    return answer(list[ProjectAnswer], await run_in_threadpool(work))


@router.get("/projects/{project:int}", response_model=ProjectAnswer, responses=REFUSALS)
async def show_project(request: Request, project: int) -> Response:
    """One project."""
    return answer(ProjectAnswer, await of_project(request, project, views.project))


@router.post(
    "/projects/{project:int}/train",
    response_model=AskedAnswer,
    status_code=202,
    responses=REFUSED_DECISIONS,
)
async def train(request: Request, project: int) -> Response:
    """Ask for a training run now; the courier's next pass requests it."""

    def ask(session: Session, row: Project, caller: Caller) -> None:
        del caller
        inbox.ask_training(session, row.id)

    await decided(request, project, ask)
    return answer(AskedAnswer, AskedAnswer(asked=True), 202)


@router.post(
    "/projects/{project:int}/pause",
    response_model=SwitchAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(ReasonRequest),
)
async def pause(request: Request, project: int) -> Response:
    """Let the project train no more; a run asked for meanwhile waits until it is resumed."""
    return await _set_paused(request, project, paused=True)


@router.post(
    "/projects/{project:int}/resume",
    response_model=SwitchAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(ReasonRequest),
)
async def resume(request: Request, project: int) -> Response:
    """Let the project train again."""
    return await _set_paused(request, project, paused=False)


@router.post(
    "/projects/{project:int}/policy",
    response_model=SwitchAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(PolicyRequest),
)
async def set_policy(request: Request, project: int) -> Response:
    """Say who decides which version is served: a person, the gate, or speed."""
    wanted = await body_of(request, PolicyRequest)

    def change(session: Session, row: Project, caller: Caller) -> SwitchAnswer:
        return views.switches(
            switches.set_policy(
                session, row.id, wanted.policy, actor=caller.name, reason=wanted.reason
            )
        )

    return answer(SwitchAnswer, await decided(request, project, change))


async def _set_paused(request: Request, project: int, *, paused: bool) -> Response:
    wanted = await body_of(request, ReasonRequest)

    def change(session: Session, row: Project, caller: Caller) -> SwitchAnswer:
        return views.switches(
            switches.set_paused(session, row.id, paused, actor=caller.name, reason=wanted.reason)
        )

    return answer(SwitchAnswer, await decided(request, project, change))
