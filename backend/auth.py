"""Who may call: Basic auth for the ML API, tokens for the admin API, a session for the pages."""

from __future__ import annotations

import base64
import binascii
from hmac import compare_digest
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.errors import error_answer, status_of
from backend.identity import ADMIN_API, Caller
from backend.login import Doorman
from backend.page_headers import with_headers
from backend.pages.rendering import error_page
from backend.secret_values import Secret
from backend.settings import BasicAuth
from model.errors import NerLoopError

PAGES = "/admin"
API = "/admin/api"
LOGIN = "/admin/login"
OPEN = (LOGIN, "/admin/static")
"""What is shown before anybody is known; nothing of a project lies there."""

COOKIE = "nerloop_session"
MAX_HEADER = 8_192
"""Longest ``Authorization`` header read, in characters."""

MAX_COOKIE = 200
"""Longest value of the session's cookie looked up, in characters."""


MAX_PATH = 1_000
"""Longest path below ``/admin`` looked at, in characters; ours have less than a hundred."""


class Gatekeeper:
    """ASGI middleware that lets nobody pass without the right credentials.

    Label Studio signs with Basic auth, its webhook by a header that ``nerloop connect`` sets. The
    admin API takes ``Authorization: Bearer`` only, and the admin pages a session's cookie only, so
    the three credentials open different doors. Who passes under ``/admin`` is noted as
    ``request.state.caller``; see :mod:`backend.identity`.

    Args:
        app: What stands behind.
        basic: Credentials of the ML API; None opens it.
        admin: Token of the host for the admin API; None leaves it to people's own tokens.
        doorman: Knows people's sessions and tokens.
    """

    def __init__(
        self, app: ASGIApp, *, basic: BasicAuth | None, admin: Secret | None, doorman: Doorman
    ) -> None:
        self._app, self._basic, self._admin, self._doorman = app, basic, admin, doorman

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401, or show the way to the login page."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _is_below(scope["path"], PAGES):
            send = with_headers(send)
            try:
                answer = await self._admin_answer(scope)
            except NerLoopError as error:  # no route's handler is reached from here
                answer = _trouble(scope, error)
        else:
            answer = self._ml_answer(scope)
        await (answer or self._app)(scope, receive, send)

    def _ml_answer(self, scope: Scope) -> ASGIApp | None:
        header = Headers(scope=scope).get("authorization", "")
        if self._basic is None or _is_basic(header, self._basic):
            return None
        return error_answer(
            401,
            "This ML backend needs a user name and a password.",
            "Enter them in Label Studio under Settings > Model, or run `nerloop connect`.",
            {"WWW-Authenticate": 'Basic realm="nerloop", charset="UTF-8"'},
        )

    async def _admin_answer(self, scope: Scope) -> ASGIApp | None:
        path = scope["path"]
        if len(path) > MAX_PATH:  # Python refuses numbers of some thousand digits with an error
            return error_answer(414, "The address is too long.")
        if any(_is_below(path, place) for place in OPEN):
            return None
        if _is_below(path, API):
            caller = await self._bearer(Headers(scope=scope).get("authorization", ""))
            refusal: ASGIApp = self._refuse_admin()
        else:
            caller = await self._visitor(HTTPConnection(scope))
            refusal = _to_login(scope)
        if caller is None:
            return refusal
        scope.setdefault("state", {})["caller"] = caller
        return None

    async def _bearer(self, header: str) -> Caller | None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or len(header) > MAX_HEADER:
            return None
        token = token.strip()
        if self._admin is not None and self._admin.equals(token.encode("latin-1", "replace")):
            return ADMIN_API
        return await run_in_threadpool(self._doorman.by_token, token)

    async def _visitor(self, connection: HTTPConnection) -> Caller | None:
        cookie = connection.cookies.get(COOKIE, "")
        if not 0 < len(cookie) <= MAX_COOKIE:
            return None
        return await run_in_threadpool(self._doorman.by_cookie, cookie)

    def _refuse_admin(self) -> ASGIApp:
        fix = (
            "Send Authorization: Bearer with a token from `nerloop admin token add`, or the one in "
            "NERLOOP_HOME/secrets/admin.token."
        )
        if self._admin is None:
            fix = (
                "Make a token with `nerloop admin token add` and send it as Authorization: Bearer, "
                "or set NERLOOP_ADMIN_TOKEN and start the backend again."
            )
        return error_answer(
            401,
            "The admin API needs a token.",
            fix,
            {"WWW-Authenticate": 'Bearer realm="nerloop admin"'},
        )


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place + "/")


def _trouble(scope: Scope, error: NerLoopError) -> ASGIApp:
    status, headers = status_of(error), {"Retry-After": "1"}
    if _is_below(scope["path"], API):
        return error_answer(status, str(error), headers=headers)
    return error_page(Request(scope), status, str(error), headers=headers)


def _to_login(scope: Scope) -> ASGIApp:
    wanted = quote(scope["path"])
    if scope["query_string"]:
        wanted += "?" + scope["query_string"].decode("latin-1")
    # a form that was posted cannot be posted again after the login, so it is not come back to
    back = "?" + urlencode({"next": wanted}) if scope["method"] == "GET" else ""
    return RedirectResponse(LOGIN + back, status_code=303)


def _is_basic(header: str, wanted: BasicAuth) -> bool:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_HEADER:
        return False
    try:
        # Starlette reads headers as Latin-1, so anything outside ASCII ends here too
        plain = base64.b64decode(encoded.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    user, _, password = plain.partition(b":")
    right_user = compare_digest(user, wanted.user.encode())
    right_password = wanted.password.equals(password)
    return right_user and right_password
