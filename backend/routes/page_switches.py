"""What the smaller forms of the pages do: policy, training, pins and archive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.errors import RequestError
from backend.forms import read_form
from backend.identity import Caller, check_csrf
from backend.pages.rendering import HOME
from backend.routes.admin_access import bounded, decided
from backend.routes.page_moves import reason_of, request_id_of
from backend.services import services
from model.registry import inbox, marks, switches
from model.registry.artifacts import ArtifactStore
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(prefix=HOME, include_in_schema=False)


@router.post("/projects/{project:int}/policy")
async def set_policy(request: Request, project: int) -> Response:
    """Say who promotes from now on."""
    form = await _form(request)
    policy, reason = form.get("policy", ""), reason_of(form)

    def switch(session: Session, row: Project, caller: Caller) -> None:
        switches.set_policy(session, row.id, policy, actor=caller.name, reason=reason)

    await decided(request, project, switch)
    return _back(f"projects/{project}?told=policy")


@router.post("/projects/{project:int}/training")
async def set_training(request: Request, project: int) -> Response:
    """Ask for a run now, or switch training by itself off and on."""
    form = await _form(request)
    wish, reason = form.get("wish", ""), reason_of(form)
    if wish not in ("now", "pause", "resume"):
        raise RequestError(422, "The form says neither now nor pause nor resume.")

    def switch(session: Session, row: Project, caller: Caller) -> None:
        if wish == "now":
            inbox.ask_training(session, row.id)
            return
        paused = wish == "pause"
        switches.set_paused(session, row.id, paused, actor=caller.name, reason=reason)

    await decided(request, project, switch)
    told = {"now": "asked", "pause": "paused", "resume": "resumed"}[wish]
    return _back(f"projects/{project}?told={told}")


@router.post("/projects/{project:int}/versions/{number:int}/mark")
async def mark_version(request: Request, project: int, number: int) -> Response:
    """Pin a version, let it go, or put it out of the way."""
    form = await _form(request)
    wish, reason, request_id = form.get("wish", ""), reason_of(form), request_id_of(form)
    if wish not in ("pin", "unpin", "archive"):
        raise RequestError(422, "The form says neither pin nor unpin nor archive.")

    store = ArtifactStore(services(request).settings.artifacts)
    pin = partial(marks.pin, pinned=wish == "pin", store=store)

    def change(session: Session, row: Project, caller: Caller) -> None:
        mark = marks.archive if wish == "archive" else pin
        mark(
            session,
            row.id,
            bounded(number),
            actor=caller.name,
            reason=reason,
            request_id=request_id,
        )

    await decided(request, project, change)
    told = {"pin": "pinned", "unpin": "unpinned", "archive": "archived"}[wish]
    return _back(f"projects/{project}/versions/{number}?told={told}")


async def _form(request: Request) -> Mapping[str, str]:
    fields = await read_form(request)
    check_csrf(request, fields)
    return fields


def _back(page: str) -> Response:
    return RedirectResponse(f"{HOME}/{page}", status_code=303)
