"""The login page, and logging out."""

from __future__ import annotations

import logging
import math
import secrets
from hmac import compare_digest
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.auth import API, COOKIE, LOGIN, MAX_COOKIE, OPEN, PAGES
from backend.forms import read_form
from backend.identity import CSRF_FIELD, check_csrf
from backend.login import Entrance
from backend.pages.rendering import page
from backend.services import services

log = logging.getLogger(__name__)
router = APIRouter(prefix=PAGES, include_in_schema=False)

FORM_COOKIE = "nerloop_login"
LIMIT = 20_000
MAX_NEXT = 500
WRONG = "Name or password is wrong."
STALE = "This form was open for too long, or cookies are switched off. Please try again."


@router.get("/login")
async def show_login(request: Request) -> Response:
    """The form; ``?next=`` says which page to open afterwards."""
    return await _form(request, next_page=local_page(request.query_params.get("next", "")))


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Begin a session, or say that name or password is wrong; 429 after too many attempts."""
    form = await read_form(request, limit=LIMIT)
    name, next_page = form.get("name", ""), local_page(form.get("next", ""))
    if not _is_our_form(request, form.get(CSRF_FIELD, "")):
        return await _form(request, 403, STALE, name=name, next_page=next_page)
    entrance, address = _entrance(request), _address(request)
    wait = math.ceil(entrance.brake.attempt(name, address))
    if wait > 0:
        words = f"Too many attempts. Try again in {wait} seconds."
        return await _form(request, 429, words, name=name, next_page=next_page, wait=wait)
    new = await to_thread.run_sync(
        entrance.doorman.log_in, name, form.get("password", ""), limiter=entrance.hashing
    )
    if new is None:
        known = await run_in_threadpool(entrance.doorman.is_known, name)
        # what is no name may be a password typed into the wrong field
        log.warning("Login refused for %r from %s", name if known else "(nobody)", address)
        return await _form(request, 401, WRONG, name=name, next_page=next_page)
    entrance.brake.forgive(name, address)
    await _end_session(request)
    answer = RedirectResponse(next_page, status_code=303)
    _set_cookie(request, answer, COOKIE, new.cookie, PAGES)
    answer.delete_cookie(FORM_COOKIE, path=LOGIN, httponly=True, samesite="strict")
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """End this session."""
    check_csrf(request, await read_form(request, limit=LIMIT))
    await _end_session(request)
    answer = RedirectResponse(LOGIN, status_code=303)
    answer.delete_cookie(COOKIE, path=PAGES, httponly=True, samesite="strict")
    return answer


def local_page(wanted: str) -> str:
    """The page to open after logging in; the start page unless an own page was asked for.

    Args:
        wanted: A path with a query, as it came.
    """
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return PAGES
    path = parts.path
    is_plain = wanted.isascii() and wanted.isprintable() and not set(wanted) & set(' \\"<>')
    is_page = path == PAGES or path.startswith(f"{PAGES}/")
    is_other = any(
        path == place or path.startswith(f"{place}/") for place in (*OPEN, API, f"{PAGES}/logout")
    )
    here = not parts.scheme and not parts.netloc and "/." not in path and "//" not in path
    return wanted if is_plain and here and is_page and not is_other and _fits(wanted) else PAGES


def _fits(wanted: str) -> bool:
    return len(wanted) <= MAX_NEXT


async def _form(
    request: Request,
    status: int = 200,
    error: str = "",
    *,
    name: str = "",
    next_page: str = PAGES,
    wait: int = 0,
) -> Response:
    # the cookie and the field must be equal, and no other site can set the one or read the other
    token = secrets.token_urlsafe(32)
    answer = page(
        request,
        "login.html",
        status=status,
        headers={"Retry-After": str(wait)} if wait else None,
        error=error,
        name=name,
        next_page=next_page,
        csrf=token,
        knows_nobody=await run_in_threadpool(_entrance(request).doorman.knows_nobody),
    )
    _set_cookie(request, answer, FORM_COOKIE, token, LOGIN)
    return answer


def _is_our_form(request: Request, field: str) -> bool:
    cookie = request.cookies.get(FORM_COOKIE, "")
    right = compare_digest(field.encode("utf-8", "replace"), cookie.encode("utf-8", "replace"))
    return right and bool(cookie)


def _set_cookie(request: Request, answer: Response, name: str, value: str, path: str) -> None:
    answer.set_cookie(
        name,
        value,
        path=path,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


async def _end_session(request: Request) -> None:
    cookie = request.cookies.get(COOKIE, "")
    if 0 < len(cookie) <= MAX_COOKIE:
        await run_in_threadpool(_entrance(request).doorman.log_out, cookie)


def _entrance(request: Request) -> Entrance:
    return services(request).entrance


def _address(request: Request) -> str:
    return request.client.host if request.client else "nowhere"
