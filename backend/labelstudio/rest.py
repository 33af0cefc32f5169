"""One HTTP call to Label Studio: signed, bounded in time, with errors that name the fix."""

from __future__ import annotations

import re
from typing import Any

import httpx

from backend.labelstudio.errors import (
    LabelStudioAnswerError,
    LabelStudioNotFoundError,
    LabelStudioRefusedError,
    LabelStudioUnreachableError,
)
from backend.labelstudio.tokens import TokenAuth, is_personal, refused
from backend.secret_values import Secret

TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class RestCalls:
    """Calls to one Label Studio with one token.

    Args:
        url: Address of Label Studio, sub-path included.
        token: Personal or legacy token.
        transport: Takes the place of the network in tests.
    """

    def __init__(
        self, url: str, token: Secret, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._personal = is_personal(token.reveal())
        # a redirect or a proxy would carry the token to somebody else
        self._http = httpx.Client(
            auth=TokenAuth(self.url, token),
            follow_redirects=False,
            trust_env=False,
            timeout=TIMEOUT,
            transport=transport,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, Any] | None = None,
    ) -> Any:
        """The parsed answer; None for an empty one.

        Raises:
            LabelStudioUnreachableError: If nothing answers in time.
            LabelStudioRefusedError: On 401 and 403.
            LabelStudioNotFoundError: On 404.
            LabelStudioAnswerError: On any other error, a redirect, or an answer that is no JSON.
        """
        try:
            answer = self._http.request(method, f"{self.url}{path}", json=body, params=params)
        except httpx.TimeoutException as error:
            raise LabelStudioUnreachableError(
                f"Label Studio at {self.url} did not answer in time. Is it overloaded or stopped?"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LabelStudioUnreachableError(
                f"Label Studio at {self.url} cannot be reached. Is it running, and is this its "
                "address as seen from here?"
            ) from error
        self._check(answer, f"{method} {path}")
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise LabelStudioAnswerError(
                f"{self.url} answered {method} {path} with something that is no JSON. "
                "Is this really Label Studio's address?"
            ) from error

    def _check(self, answer: httpx.Response, what: str) -> None:
        status = answer.status_code
        if status < 300:
            return
        if status < 400:
            target = answer.headers.get("location", "elsewhere")
            raise LabelStudioAnswerError(
                f"{self.url} redirects {what} to {target[:200]}. Use that server's own address."
            )
        detail = _detail(answer)
        if status == 401:
            raise LabelStudioRefusedError(refused(personal=self._personal, detail=detail))
        if status == 403:
            raise LabelStudioRefusedError(f"Label Studio does not allow {what}: {detail}")
        if status == 404:
            raise LabelStudioNotFoundError(f"Label Studio does not know {what}: {detail}")
        raise LabelStudioAnswerError(f"Label Studio answered {what} with {status}: {detail}")


def _detail(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return "no reason given"
    if not isinstance(body, dict):
        return str(body)[:300]
    errors = body.get("validation_errors")
    parts = [str(body.get("detail", ""))]
    if isinstance(errors, dict):
        parts += [str(text) for texts in errors.values() for text in _listed(texts)]
    said = re.sub(r"<[^>]*>", "", " ".join(part for part in parts if part))  # links for a browser
    return said[:300] or "no reason given"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
