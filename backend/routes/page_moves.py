"""What forms of the pages do: promote and roll back; a refusal keeps the reason that was typed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.errors import RequestError, status_of
from backend.forms import read_form
from backend.identity import Caller, caller_of, check_csrf, may_decide
from backend.pages.heading import Heading, heading
from backend.pages.rendering import HOME, page
from backend.pages.trail import TrailLine, line
from backend.routes.admin_access import decided, of_project
from backend.routes.admin_moves import ring_window, with_served
from backend.services import services
from model.registry import aliases, audit
from model.registry.aliases import AliasMove
from model.registry.errors import (
    LostRaceError,
    RegistryBusyError,
    RegistryError,
    UnknownProjectError,
)
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(prefix=HOME, include_in_schema=False)
LONGEST_REASON = 2000
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
Move = Callable[[Session, Project, Caller], AliasMove]


@dataclass(frozen=True, slots=True)
class MoveForm:
    """A filled-in form.

    Attributes:
        number: The version to serve.
        revision: Revision of the alias its page had shown.
        reason: Why, as typed.
        request_id: Makes a form sent twice count once.
    """

    number: int
    revision: int
    reason: str
    request_id: str


def new_request_id() -> str:
    """A fresh idempotency key for a form."""
    return secrets.token_urlsafe(12)


def whole_number(form: Mapping[str, str], name: str) -> int:
    """A field that must hold a number a column can hold.

    Raises:
        RequestError: If it does not.
    """
    value = form.get(name, "")
    if not (value.isascii() and value.isdecimal()) or len(value) > 10 or int(value) >= 2**31:
        raise RequestError(422, f"The form's field {name} holds no version or revision.")
    return int(value)


def reason_of(form: Mapping[str, str]) -> str:
    """The reason with the line ends of everybody.

    Raises:
        RequestError: If it is too long.
    """
    reason = form.get("reason", "").replace("\r\n", "\n").strip()
    if len(reason) > LONGEST_REASON:
        raise RequestError(422, f"The reason has more than {LONGEST_REASON} characters.")
    return reason


def request_id_of(form: Mapping[str, str]) -> str:
    """The form's idempotency key; a fresh one where it has none that can be used."""
    given = form.get("request_id", "")
    return given if _REQUEST_ID.fullmatch(given) else new_request_id()


@router.post("/projects/{project:int}/promote")
async def promote(request: Request, project: int) -> Response:
    """Serve a version from now on."""
    form = await _move_form(request)

    def move(session: Session, row: Project, caller: Caller) -> AliasMove:
        return aliases.promote(
            session,
            row.id,
            form.number,
            actor=caller.name,
            reason=form.reason,
            expected_revision=form.revision,
            request_id=form.request_id,
        )

    return await _moved(request, project, form, move, f"Promote version {form.number}")


@router.post("/projects/{project:int}/rollback")
async def roll_back(request: Request, project: int) -> Response:
    """Serve an earlier version again."""
    form = await _move_form(request)

    def move(session: Session, row: Project, caller: Caller) -> AliasMove:
        return aliases.roll_back(
            session,
            row.id,
            to=form.number,
            actor=caller.name,
            reason=form.reason,
            expected_revision=form.revision,
            request_id=form.request_id,
        )

    return await _moved(request, project, form, move, f"Roll back to version {form.number}")


async def _move_form(request: Request) -> MoveForm:
    fields = await read_form(request)
    check_csrf(request, fields)
    return MoveForm(
        number=whole_number(fields, "number"),
        revision=whole_number(fields, "revision"),
        reason=reason_of(fields),
        request_id=request_id_of(fields),
    )


async def _moved(
    request: Request, project: int, form: MoveForm, move: Move, words: str
) -> Response:
    try:
        moved, served = await decided(request, project, with_served(move))
    except (UnknownProjectError, RegistryBusyError):
        raise
    except RegistryError as error:
        return await _refused(request, project, form, words, error)
    await run_in_threadpool(ring_window, services(request), served)
    return RedirectResponse(f"{HOME}/projects/{project}?moved={moved.to_number}", status_code=303)


async def _refused(
    request: Request, project: int, form: MoveForm, words: str, error: RegistryError
) -> Response:
    """The form again, with what was typed, on the state of this moment."""
    caller = caller_of(request)

    def read(session: Session, row: Project) -> tuple[Heading, list[TrailLine]]:
        since = [
            line(change)
            for change in audit.history(session, row.id)
            if change.alias == "served"
            and change.outcome != audit.REFUSED
            and change.revision > form.revision
        ]
        return heading(session, row, may_decide(caller, row.id)), since

    head, since = await of_project(request, project, read)
    fields = {"number": form.number, "revision": head.revision, "request_id": new_request_id()}
    return page(
        request,
        "refused.html",
        status=status_of(error),
        head=head,
        message=str(error),
        since=since if isinstance(error, LostRaceError) else [],
        words=words,
        action=request.url.path,
        fields=fields,
        reason=form.reason,
    )
