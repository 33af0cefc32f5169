"""From an error's class to the status and the one sentence a caller sees; never a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from backend.labelstudio.errors import LabelStudioError, UnsupportedConfigError
from model.errors import AdapterError, BaseModelError, NerLoopError
from model.registry.errors import (
    ArtifactError,
    LostRaceError,
    NothingToRollBackError,
    RegistryBusyError,
    UnknownProjectError,
    UnknownVersionError,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[NerLoopError], int] = {
    UnknownProjectError: 404,
    UnknownVersionError: 404,
    LostRaceError: 409,
    NothingToRollBackError: 409,
    UnsupportedConfigError: 422,
    LabelStudioError: 502,
    RegistryBusyError: 503,
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
    """Make every error of the app a JSON answer."""
    for kind in (NerLoopError, ValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, NerLoopError):
        return _own(request, error)
    if isinstance(error, ValidationError):
        return _malformed(error)
    if isinstance(error, HTTPException):
        return error_answer(error.status_code, str(error.detail), headers=error.headers)
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_answer(500, "nerloop could not answer; the reason stands in its log.")


def _own(request: Request, error: NerLoopError) -> Response:
    status = status_of(error)
    if status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    headers = {"Retry-After": "1"} if status == 503 else None
    return error_answer(status, str(error), getattr(error, "fix", ""), headers)


def _malformed(error: ValidationError) -> Response:
    # what was sent stays out of the answer: it may hold texts or credentials
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "its top level"
    return error_answer(422, f"The body is not what is expected at {place}: {first['msg']}.")
