"""Reading a request's JSON body with every limit checked, so that garbage ends as 4xx."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from backend.errors import RequestError

LARGE = 262_144
"""From this size in bytes, parsing happens outside the event loop."""


async def read_json(request: Request, *, limit: int) -> Any:
    """The parsed body.

    Args:
        request: The request.
        limit: Most bytes taken; more is refused before it is read.

    Raises:
        RequestError: 413 if it is too long; 400 if it is no UTF-8, no JSON, nested too deeply, or
            holds a number JSON does not know.
    """
    raw = await read_bytes(request, limit=limit)
    return await run_in_threadpool(parse_json, raw) if len(raw) > LARGE else parse_json(raw)


async def read_bytes(request: Request, *, limit: int) -> bytes:
    """The raw body of at most ``limit`` bytes.

    Raises:
        RequestError: 413 if it is longer, 400 if the caller hung up.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _too_long(limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise _too_long(limit)
    except ClientDisconnect as error:
        raise RequestError(400, "The caller hung up in the middle of the body.") from error
    return bytes(body)


def parse_json(raw: bytes) -> Any:
    """The value in ``raw``; see :func:`read_json`."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise RequestError(400, "The body is not UTF-8.") from error
    except RecursionError as error:
        raise RequestError(400, "The body is nested too deeply.") from error
    except ValueError as error:
        raise RequestError(400, "The body is not valid JSON.") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _too_long(limit: int) -> RequestError:
    return RequestError(413, f"The body is longer than {limit // 1_000_000} MB.")
