"""The bodies Label Studio sends; credentials in them are cut by never being fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UID = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?")


def _as_dict(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


def _as_list(value: Any) -> Any:
    if value is None:
        return []
    return [value] if isinstance(value, dict) else value


def _as_uid(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    # peers' tests send the project as a number
    text = str(value) if isinstance(value, int) and 0 <= value < 2**31 else value
    if not isinstance(text, str) or not _UID.fullmatch(text):
        raise ValueError("a project is named <id>.<unix time of its creation>")
    return text


def _as_id(value: Any) -> int | None:
    # larger ids exist in no Label Studio and fit no column
    return value if type(value) is int and 0 <= value < 2**31 else None


def _as_time(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isascii() and len(value) <= 40 else None


def _as_address(value: Any) -> str:
    good = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 500
    return value.rstrip("/") if good else ""


def _as_action(value: Any) -> Any:
    # an unknown action is accepted, but only its harmless characters are kept
    return re.sub(r"[^A-Za-z0-9_.-]", "?", value) if isinstance(value, str) else value


Id = Annotated[int | None, BeforeValidator(_as_id)]
Uid = Annotated[str | None, BeforeValidator(_as_uid)]
Time = Annotated[str | None, BeforeValidator(_as_time)]


class Message(BaseModel):
    """A body of Label Studio: unknown fields are ignored, so tokens never get in."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SetupRequest(Message):
    """``POST /setup``. ``access_token`` and ``extra_params`` are deliberately no fields."""

    project: Uid = None
    label_config: str | None = Field(default=None, alias="schema")
    hostname: Annotated[str, BeforeValidator(_as_address)] = ""


class TaskMessage(Message):
    """One task of ``/predict``. Its annotations and predictions must never reach a model."""

    id: Id = None
    data: Annotated[dict[str, Any], BeforeValidator(_as_dict)] = Field(default_factory=dict)
    created_at: Time = None


class PredictRequest(Message):
    """``POST /predict``. ``params`` may hold a login and a password, so it is no field."""

    tasks: Annotated[list[TaskMessage], BeforeValidator(_as_list)]
    project: Uid = None
    label_config: str | None = None


class ProjectMessage(Message):
    """The project inside a webhook, without its token."""

    id: Id = None
    created_at: Time = None

    @property
    def uid(self) -> str | None:
        """The identity ``/setup`` and ``/predict`` use: ``<id>.<unix time of creation>``."""
        return None if self.id is None else project_uid(self.id, self.created_at or "")


class Thing(Message):
    """An annotation or a task inside a webhook: who it is and when it changed."""

    id: Id = None
    task: Id = None
    updated_at: Time = None


class WebhookEvent(Message):
    """``POST /webhook``: one thing or a list of things, or nothing but the action."""

    action: Annotated[str, BeforeValidator(_as_action), Field(min_length=1, max_length=200)]
    project: Annotated[ProjectMessage | None, BeforeValidator(_as_dict)] = None
    annotation: Annotated[list[Thing], BeforeValidator(_as_list)] = Field(default_factory=list)
    annotations: Annotated[list[Thing], BeforeValidator(_as_list)] = Field(default_factory=list)
    tasks: Annotated[list[Thing], BeforeValidator(_as_list)] = Field(default_factory=list)

    def touched_annotations(self) -> Iterator[Thing]:
        """Every annotation named, however the event names it."""
        yield from self.annotation
        yield from self.annotations


def project_uid(ls_id: int, created_at: str) -> str | None:
    """``<id>.<unix time of creation>``, or None if the time cannot be read.

    >>> project_uid(2, "2026-11-20T07:02:51.280133Z")
    '2.1795158171'
    """
    try:
        moment = datetime.fromisoformat(created_at)
        return f"{ls_id}.{int(moment.timestamp())}" if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
