"""What callers of the admin API send: bodies, and the header that makes a call safe to repeat."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import Header
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request

from backend.bodies import read_json
from backend.errors import RequestError

LIMIT = 100_000
"""Most bytes of a body."""

REQUEST_ID = r"^[A-Za-z0-9_.:-]{1,100}$"


def _printable(text: str) -> str:
    if any(character < " " and character not in "\n\t" for character in text):
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
RequestId = Annotated[str, Field(pattern=REQUEST_ID)]
Number = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=REQUEST_ID,
        description="The same as `request_id` in the body: a repeated call gets the first answer.",
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReasonRequest(_Body):
    """A decision that is kept with its reason."""

    reason: Text


class DecisionRequest(ReasonRequest):
    """A decision on a version: repeated safely, or tried without being made."""

    request_id: RequestId | None = None
    dry_run: Annotated[bool, Field(strict=True)] = False


class MoveRequest(DecisionRequest):
    """What promotion and roll-back have in common."""

    expected_revision: Number | None = None


class PromoteRequest(MoveRequest):
    """Serve this version from now on."""

    number: Number


class RollBackRequest(MoveRequest):
    """Serve an earlier version again; without ``to``, the one before."""

    to: Number | None = None


class PinRequest(DecisionRequest):
    """Keep a version's files for good, or let them age again."""

    pinned: Annotated[bool, Field(strict=True)] = True


class PolicyRequest(ReasonRequest):
    """Who decides from now on which version is served."""

    policy: Literal["manual", "auto", "serve-fast"]


B = TypeVar("B", bound=BaseModel)
D = TypeVar("D", bound=DecisionRequest)


async def body_of(request: Request, kind: type[B]) -> B:
    """The request's body as a message.

    Raises:
        RequestError: If it is too long or no JSON.
        ValidationError: If it is another message than this.
    """
    return kind.model_validate(await read_json(request, limit=LIMIT))


async def decision_of(request: Request, kind: type[D], key: str | None) -> D:
    """A decision's body, with the request id the header may have named instead.

    Raises:
        RequestError: If body and header name different ones, or as in :func:`body_of`.
        ValidationError: If it is another message than this.
    """
    wanted = await body_of(request, kind)
    if key is None or wanted.request_id == key:
        return wanted
    if wanted.request_id is not None:
        raise RequestError(
            422,
            "The header Idempotency-Key and request_id in the body name different requests.",
            "Send one of the two.",
        )
    return wanted.model_copy(update={"request_id": key})


def described(kind: type[BaseModel]) -> dict[str, Any]:
    """A body for the OpenAPI of a route that reads it itself, within its own limits."""
    content = {"application/json": {"schema": kind.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
