"""The admin API under ``/admin/api``: look at projects and versions, promote, roll back, train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend import queue
from backend.bodies import read_json
from backend.errors import Json
from backend.routes import admin_views as views
from backend.services import Services, services
from model.registry import aliases, inbox, predictions, projects, runs, versions
from model.registry.aliases import AliasMove
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(prefix="/admin/api")
LIMIT = 100_000
ACTOR = "admin-api"


def _printable(text: str) -> str:
    if any(character < " " and character not in "\n\t" for character in text):
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Number = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class MoveRequest(BaseModel):
    """What promotion and roll-back have in common."""

    model_config = ConfigDict(extra="forbid")

    reason: Text
    expected_revision: Number | None = None
    request_id: RequestId | None = None


class PromoteRequest(MoveRequest):
    """Serve this version from now on."""

    number: Number


class RollBackRequest(MoveRequest):
    """Serve an earlier version again; without ``to``, the one before."""

    to: Number | None = None


@router.get("/projects")
async def list_projects(request: Request) -> Response:
    """Every project with its served and candidate version and its troubles."""
    return await _read(
        request,
        lambda session: [views.project(session, row) for row in projects.every(session)],
    )


@router.get("/projects/{project:int}/versions")
async def list_versions(request: Request, project: int) -> Response:
    """All versions of a project, oldest first."""
    return await _of_project(
        request,
        project,
        lambda session, row: [views.version(v) for v in versions.versions(session, row.id)],
    )


@router.get("/projects/{project:int}/versions/{number:int}")
async def show_version(request: Request, project: int, number: int) -> Response:
    """One version with its configuration and figures."""
    return await _of_project(
        request,
        project,
        lambda session, row: views.version_in_full(
            versions.version(session, row.id, _bounded(number))
        ),
    )


@router.get("/projects/{project:int}/runs")
async def list_runs(request: Request, project: int) -> Response:
    """The newest training runs first, and why the trigger last said what it said."""
    return await _of_project(
        request,
        project,
        lambda session, row: [views.run(item) for item in runs.recent(session, row.id)],
    )


@router.get("/projects/{project:int}/audit")
async def list_audit(request: Request, project: int) -> Response:
    """Who moved which alias when and why, newest first, refusals included."""
    return await _of_project(
        request,
        project,
        lambda session, row: [views.change(item) for item in aliases.history(session, row.id)],
    )


@router.post("/projects/{project:int}/promote")
async def promote(request: Request, project: int) -> Response:
    """Move ``served`` to a version; 409 if somebody else was quicker."""
    wanted = PromoteRequest.model_validate(await read_json(request, limit=LIMIT))
    return await _move(
        request,
        project,
        lambda session, row: aliases.promote(
            session,
            row.id,
            wanted.number,
            actor=ACTOR,
            reason=wanted.reason,
            expected_revision=wanted.expected_revision,
            request_id=wanted.request_id,
        ),
    )


@router.post("/projects/{project:int}/rollback")
async def roll_back(request: Request, project: int) -> Response:
    """Move ``served`` back to an earlier version."""
    wanted = RollBackRequest.model_validate(await read_json(request, limit=LIMIT))
    return await _move(
        request,
        project,
        lambda session, row: aliases.roll_back(
            session,
            row.id,
            to=wanted.to,
            actor=ACTOR,
            reason=wanted.reason,
            expected_revision=wanted.expected_revision,
            request_id=wanted.request_id,
        ),
    )


@router.post("/projects/{project:int}/train")
async def train(request: Request, project: int) -> Response:
    """Ask for a training run now; the courier's next pass requests it."""

    def ask() -> dict[str, Any]:
        with services(request).database.begin() as session:
            row = projects.by_label_studio(session, _bounded(project))
            inbox.ask_training(session, row.id)
        return {"asked": True}

    return Json(await run_in_threadpool(ask), status_code=202)


async def _read(request: Request, ask: Callable[[Session], Any]) -> Response:
    def work() -> Any:
        with services(request).database.read() as session:
            return ask(session)

    return Json(await run_in_threadpool(work))


async def _of_project(
    request: Request, ls_id: int, ask: Callable[[Session, Project], Any]
) -> Response:
    return await _read(
        request, lambda session: ask(session, projects.by_label_studio(session, _bounded(ls_id)))
    )


async def _move(
    request: Request, ls_id: int, move: Callable[[Session, Project], AliasMove]
) -> Response:
    def work() -> dict[str, Any]:
        shared = services(request)
        with shared.database.begin() as session:
            moved = move(session, projects.by_label_studio(session, _bounded(ls_id)))
        _ring(shared)
        return views.move(ls_id, moved)

    return Json(await run_in_threadpool(work))


def _ring(shared: Services) -> None:
    """Have the window of the version that is served now predicted at once."""
    with shared.database.read() as session:
        waiting = predictions.waiting(session)
    for version_id, attempt, method in waiting[:1]:
        queue.ring_predict(shared.settings.redis_url, version_id, attempt, method)


def _bounded(number: int) -> int:
    """A number no column can hold names nothing, like any other unknown one."""
    return number if 0 <= number < 2**31 else -1
