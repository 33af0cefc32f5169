"""Where a template becomes a page: escaped always, strict about missing values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from backend.pages import formatting

HOME = "/admin"
API = "/admin/api"
STATIC = "/admin/static"


def is_page(path: str) -> bool:
    """Whether a path belongs to the pages people open, not to programs."""
    return (path == HOME or path.startswith(f"{HOME}/")) and not (
        path == API or path.startswith(f"{API}/")
    )


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Render a template for whoever asks.

    Args:
        request: The request; its ``state.caller``, if it is set, is who is logged in.
        template: File name below ``backend/templates``.
        status: HTTP status.
        headers: More headers.
        **values: What the template names. A name it uses and does not get is an error.
    """
    caller = getattr(request.state, "caller", None)
    # not "caller" inside macros: there Jinja means something else by it
    token = getattr(caller, "csrf", None) or ""
    made = environment().get_template(template)
    body = made.render(caller=caller, form_token=token, **values)
    # lone surrogates, which Label Studio's JSON may hold, have no UTF-8; they are shown as "?"
    return HTMLResponse(body.encode("utf-8", "replace"), status_code=status, headers=headers)


def error_page(
    request: Request,
    status: int,
    message: str,
    fix: str = "",
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """An error in one sentence, with what to do about it where that is known."""
    return page(
        request,
        "error.html",
        status=status,
        headers=headers,
        code=status,
        phrase=HTTPStatus(status).phrase,
        message=message,
        fix=fix,
    )


@cache
def environment() -> Environment:
    """The templates with our filters; every value is escaped, in every file."""
    made = Environment(
        loader=PackageLoader("backend", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "ticked",
        "percent",
        "points",
        "span",
        "change",
        "short",
        "count",
        "moment",
        "duration",
    ):
        made.filters[name] = getattr(formatting, name)
    return made
