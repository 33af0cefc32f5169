"""How the admin routes reach the registry: who asks, which project, what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.errors import Json
from backend.identity import Caller, caller_of, require_admin, seen_project
from backend.routes.admin_answers import ConflictAnswer, ErrorAnswer
from backend.services import services
from model.registry import aliases
from model.registry.errors import LostRaceError
from model.registry.session import Session
from model.registry.tables import Project

T = TypeVar("T")

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "No token, or not a valid one."},
    404: {"model": ErrorAnswer, "description": "Nothing of that number, or not for this caller."},
    414: {"model": ErrorAnswer, "description": "The address is too long."},
    422: {"model": ErrorAnswer, "description": "The request is not what is expected."},
    503: {"model": ErrorAnswer, "description": "The registry is busy or away; try again."},
}
"""How every route may refuse."""

REFUSED_DECISIONS: dict[int | str, dict[str, Any]] = REFUSALS | {
    400: {"model": ErrorAnswer, "description": "The body is no JSON, or it cannot be done."},
    403: {"model": ErrorAnswer, "description": "The caller may look here but not decide."},
    409: {"model": ConflictAnswer, "description": "Somebody decided first; or nothing to do."},
    413: {"model": ErrorAnswer, "description": "The body is too long."},
}
"""How a route that changes something may refuse."""


def answer(kind: Any, value: object, status: int = 200) -> Response:
    """A value as JSON.

    Args:
        kind: Its type: a message, a dataclass, or a list of them.
        value: The value.
        status: HTTP status.
    """
    plain = TypeAdapter(kind).dump_python(value, mode="json", by_alias=True)
    return Json(_finite(plain), status_code=status)


def bounded(number: int) -> int:
    """A number no column can hold names nothing, like any other unknown one."""
    return number if 0 <= number < 2**31 else -1


async def of_project(request: Request, project: int, ask: Callable[[Session, Project], T]) -> T:
    """Ask the registry something about a project the caller may see.

    Raises:
        UnknownProjectError: If there is none of that number for this caller.
    """
    caller = caller_of(request)

    def work() -> T:
        with services(request).database.read() as session:
            return ask(session, seen_project(session, caller, project))

    return await run_in_threadpool(work)


async def decided(
    request: Request, project: int, decide: Callable[[Session, Project, Caller], T]
) -> T:
    """Decide something about a project, in one write transaction.

    Raises:
        UnknownProjectError: If there is none of that number for this caller.
        NotAllowedError: If the caller may only look.
    """
    caller = caller_of(request)

    def work() -> T:
        with services(request).database.begin() as session:
            row = seen_project(session, caller, project)
            require_admin(caller, row.id)
            return decide(session, row, caller)

    return await run_in_threadpool(work)


async def lost(request: Request, project: int, error: LostRaceError) -> Response:
    """409 with what is served now, so that the caller can look and decide anew."""
    now = await of_project(request, project, lambda session, row: aliases.served(session, row.id))
    told = ConflictAnswer(
        error=str(error),
        fix=f"Look at version {now.number}; then repeat with expected_revision {now.revision}.",
        served=now.number,
        revision=now.revision,
    )
    return answer(ConflictAnswer, told, 409)


def _finite(value: Any) -> Any:
    """JSON knows no NaN; a figure that is none is null there."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
