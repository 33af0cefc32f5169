"""Who may call: Basic auth for the ML API, a bearer token for the admin API."""

from __future__ import annotations

import base64
import binascii
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.errors import error_answer
from backend.secret_values import Secret
from backend.settings import BasicAuth

ADMIN = "/admin/api"
MAX_HEADER = 8_192
"""Longest ``Authorization`` header read, in characters."""


class Gatekeeper:
    """ASGI middleware that lets nobody pass without the right credentials.

    Label Studio signs with Basic auth, its webhook by a header that ``nerloop connect`` sets. The
    admin API takes ``Authorization: Bearer`` only, so the two credentials open different doors.

    Args:
        app: What stands behind.
        basic: Credentials of the ML API; None opens it.
        admin: Token of the admin API; None closes it.
    """

    def __init__(self, app: ASGIApp, *, basic: BasicAuth | None, admin: Secret | None) -> None:
        self._app, self._basic, self._admin = app, basic, admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = Headers(scope=scope).get("authorization", "")
        if _is_admin(scope["path"]):
            answer = None if self._is_administrator(header) else self._refuse_admin()
        elif self._basic is None or _is_basic(header, self._basic):
            answer = None
        else:
            answer = error_answer(
                401,
                "This ML backend needs a user name and a password.",
                "Enter them in Label Studio under Settings > Model, or run `nerloop connect`.",
                {"WWW-Authenticate": 'Basic realm="nerloop", charset="UTF-8"'},
            )
        await (answer or self._app)(scope, receive, send)

    def _is_administrator(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        if self._admin is None or scheme.lower() != "bearer" or len(header) > MAX_HEADER:
            return False
        return self._admin.equals(token.strip().encode("latin-1", "replace"))

    def _refuse_admin(self) -> ASGIApp:
        fix = "Send Authorization: Bearer and the token in NERLOOP_HOME/secrets/admin.token."
        if self._admin is None:
            fix = "Set NERLOOP_ADMIN_TOKEN and start the backend again."
        return error_answer(
            401,
            "The admin API needs the admin token.",
            fix,
            {"WWW-Authenticate": 'Bearer realm="nerloop admin"'},
        )


def _is_admin(path: str) -> bool:
    return path == ADMIN or path.startswith(ADMIN + "/")


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
