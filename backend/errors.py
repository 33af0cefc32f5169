"""From an error's class to the status and the one sentence a caller sees; never a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from backend.labelstudio.errors import LabelStudioError, UnsupportedConfigError
from backend.pages.rendering import error_page, is_page
from model.errors import AdapterError, BaseModelError, NerLoopError
from model.registry.errors import (
    AmbiguousProjectError,
    ArtifactError,
    CondemnedError,
    KeptVersionError,
    LostRaceError,
    NothingToRollBackError,
    RegistryBusyError,
    RegistryUnavailableError,
    RequestIdReusedError,
    UnknownProjectError,
    UnknownRunError,
    UnknownVersionError,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[NerLoopError], int] = {
    UnknownProjectError: 404,
    UnknownVersionError: 404,
    UnknownRunError: 404,
    LostRaceError: 409,
    AmbiguousProjectError: 409,
    NothingToRollBackError: 409,
    CondemnedError: 409,
    KeptVersionError: 409,
    RequestIdReusedError: 409,
    UnsupportedConfigError: 422,
    LabelStudioError: 502,
    RegistryBusyError: 503,
    RegistryUnavailableError: 503,
    ArtifactError: 503,
    AdapterError: 503,
    BaseModelError: 503,
    NerLoopError: 400,
}


class RequestError(NerLoopError):
    """The request cannot be answered as it is."""

    def __init__(self, status: int, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.status, self.fix = status, fix


class Json(Response):
    """A JSON answer in ASCII, so that any text survives, lone surrogates included."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return json.dumps(content, ensure_ascii=True, allow_nan=False).encode("ascii")


def error_answer(
    status: int, message: str, fix: str = "", headers: Mapping[str, str] | None = None
) -> Json:
    """``{"error": sentence}``, with ``"fix"`` where there is one."""
    body = {"error": message} | ({"fix": fix} if fix else {})
    return Json(body, status_code=status, headers=headers)


def status_of(error: NerLoopError) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, RequestError):
        return error.status
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def install(app: FastAPI) -> None:
    """Make every error of the app a JSON answer, or a page where a person asked for one."""
    for kind in (
        NerLoopError,
        ValidationError,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, _answer)


@dataclass(frozen=True, slots=True)
class _Told:
    status: int
    message: str
    fix: str = ""
    headers: Mapping[str, str] | None = None


async def _answer(request: Request, error: Exception) -> Response:
    told = _told(request, error)
    answer = error_answer(told.status, told.message, told.fix, told.headers)
    if not is_page(request.url.path):
        return answer
    try:
        return error_page(request, told.status, told.message, told.fix, told.headers)
    except Exception:  # a person is told in plain words even if the page itself is broken
        log.exception("The page about an error could not be made")
        return answer


def _told(request: Request, error: Exception) -> _Told:
    if isinstance(error, NerLoopError):
        return _own(request, error)
    if isinstance(error, ValidationError):
        return _malformed(error)
    if isinstance(error, RequestValidationError):
        return _misdirected(error)
    if isinstance(error, HTTPException):
        return _Told(error.status_code, str(error.detail), headers=error.headers)
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _Told(500, "nerloop could not answer; the reason stands in its log.")


def _own(request: Request, error: NerLoopError) -> _Told:
    status = status_of(error)
    if status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    headers = {"Retry-After": "1"} if status == 503 else None
    return _Told(status, str(error), getattr(error, "fix", ""), headers)


def _malformed(error: ValidationError) -> _Told:
    # what was sent stays out of the answer: it may hold texts or credentials
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "its top level"
    return _Told(422, f"The body is not what is expected at {place}: {first['msg']}.")


def _misdirected(error: RequestValidationError) -> _Told:
    first = error.errors()[0]
    kind, *names = first["loc"]
    place = ".".join(str(name) for name in names) or str(kind)
    return _Told(422, f"The {kind} parameter {place} is not what is expected: {first['msg']}.")
