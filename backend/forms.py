"""Fields of a posted HTML form, read with every limit checked."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from backend.bodies import read_bytes
from backend.errors import RequestError

LIMIT = 100_000
MOST_FIELDS = 100


async def read_form(request: Request, *, limit: int = LIMIT) -> dict[str, str]:
    """The fields of an ``application/x-www-form-urlencoded`` body; of a repeated one, the last.

    Args:
        request: The request.
        limit: Most bytes taken.

    Raises:
        RequestError: 415 if it is another kind of body, 413 if it is too long, 400 if it cannot be
            read or holds control characters other than line ends and tabs.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RequestError(415, "A form is expected here, sent as a browser sends it.")
    raw = await read_bytes(request, limit=limit)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:  # not ASCII, not UTF-8 inside, or too many fields
        raise RequestError(400, "The form cannot be read.") from error
    for _, value in pairs:
        if any(character < " " and character not in "\r\n\t" for character in value):
            raise RequestError(400, "The form holds control characters.")
    return dict(pairs)
