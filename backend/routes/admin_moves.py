"""The alias ``served`` by REST: promote, roll back, and the audit trail of both."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend import queue
from backend.identity import Caller
from backend.routes import admin_views as views
from backend.routes.admin_access import (
    REFUSALS,
    REFUSED_DECISIONS,
    answer,
    decided,
    lost,
    of_project,
)
from backend.routes.admin_answers import ChangeLine, MoveAnswer
from backend.routes.admin_requests import (
    IdempotencyKey,
    PromoteRequest,
    RollBackRequest,
    decision_of,
    described,
)
from backend.services import Services, services
from model.registry import aliases, predictions
from model.registry.aliases import AliasMove
from model.registry.errors import LostRaceError
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(tags=["decisions"])
Move = Callable[[Session, Project, Caller], AliasMove]


@router.get("/projects/{project:int}/audit", response_model=list[ChangeLine], responses=REFUSALS)
async def list_audit(request: Request, project: int) -> Response:
    """Who decided what when and why, newest first, refusals included."""
    return answer(list[ChangeLine], await of_project(request, project, views.changes))


@router.post(
    "/projects/{project:int}/promote",
    response_model=MoveAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(PromoteRequest),
)
async def promote(request: Request, project: int, key: IdempotencyKey = None) -> Response:
    """Move ``served`` to a version; 409 if somebody else was quicker."""
    wanted = await decision_of(request, PromoteRequest, key)

    def move(session: Session, row: Project, caller: Caller) -> AliasMove:
        return aliases.promote(
            session,
            row.id,
            wanted.number,
            actor=caller.name,
            reason=wanted.reason,
            expected_revision=wanted.expected_revision,
            request_id=wanted.request_id,
            dry_run=wanted.dry_run,
        )

    return await _moved(request, project, move, dry_run=wanted.dry_run)


@router.post(
    "/projects/{project:int}/rollback",
    response_model=MoveAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(RollBackRequest),
)
async def roll_back(request: Request, project: int, key: IdempotencyKey = None) -> Response:
    """Move ``served`` back to an earlier version."""
    wanted = await decision_of(request, RollBackRequest, key)

    def move(session: Session, row: Project, caller: Caller) -> AliasMove:
        return aliases.roll_back(
            session,
            row.id,
            to=wanted.to,
            actor=caller.name,
            reason=wanted.reason,
            expected_revision=wanted.expected_revision,
            request_id=wanted.request_id,
            dry_run=wanted.dry_run,
        )

    return await _moved(request, project, move, dry_run=wanted.dry_run)


async def _moved(request: Request, project: int, move: Move, *, dry_run: bool) -> Response:
    try:
        moved, served = await decided(request, project, with_served(move))
    except LostRaceError as error:
        return await lost(request, project, error)
    if not dry_run:
        await run_in_threadpool(ring_window, services(request), served)
    return answer(MoveAnswer, views.move(project, moved, dry_run=dry_run))


def with_served(move: Move) -> Callable[[Session, Project, Caller], tuple[AliasMove, int]]:
    """A move that also tells which row the project serves after it."""

    def made(session: Session, row: Project, caller: Caller) -> tuple[AliasMove, int]:
        return move(session, row, caller), aliases.served(session, row.id).version_id

    return made


def ring_window(shared: Services, version_id: int) -> None:
    """Have the window of a version predicted at once, if it waits."""
    with shared.database.read() as session:
        waiting = predictions.waiting(session)
    for waits, attempt, method in waiting:
        if waits == version_id:
            queue.ring_predict(shared.settings.redis_url, version_id, attempt, method)
