"""Label Studio's answers as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.labelstudio.errors import LabelStudioAnswerError
from backend.labelstudio.messages import project_uid


@dataclass(frozen=True, slots=True)
class LsProject:
    """A project as Label Studio shows it.

    Attributes:
        pointer: Its ``model_version``: a backend's title, a version, or empty.
    """

    id: int
    uid: str
    title: str
    label_config: str
    pointer: str
    tasks: int
    annotations: int


@dataclass(frozen=True, slots=True)
class LsTask:
    """A task with all its annotations, as raw JSON objects."""

    id: int
    created_at: str
    updated_at: str
    data: Mapping[str, Any]
    annotations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class IdPage:
    """One page of a project's tasks: (id, creation time) of each; ``total`` counts all of them."""

    total: int
    keys: frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class LsBackend:
    """An ML backend of a project."""

    id: int
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class LsWebhook:
    """A webhook of a project."""

    id: int
    url: str
    is_active: bool


def as_object(body: Any) -> dict[str, Any]:
    """The JSON object it must be."""
    if not isinstance(body, dict):
        raise LabelStudioAnswerError("Label Studio's answer is no JSON object.")
    return body


def as_items(body: Any) -> list[dict[str, Any]]:
    """The list of JSON objects it must be."""
    if not isinstance(body, list):
        raise LabelStudioAnswerError("Label Studio's answer is no list.")
    return [as_object(item) for item in body]


def whole(item: Mapping[str, Any], key: str) -> int:
    """The whole number it must have under a key."""
    value = item.get(key)
    if type(value) is not int:
        raise LabelStudioAnswerError(f"Label Studio's answer has no whole number under {key!r}.")
    return value


def read_project(body: Any) -> LsProject:
    """A project."""
    item = as_object(body)
    number = whole(item, "id")
    uid = project_uid(number, str(item.get("created_at")))
    if uid is None:
        raise LabelStudioAnswerError("Label Studio's project has no readable creation time.")
    return LsProject(
        id=number,
        uid=uid,
        title=str(item.get("title") or ""),
        label_config=str(item.get("label_config") or ""),
        pointer=str(item.get("model_version") or ""),
        tasks=int(item.get("task_number") or 0),
        annotations=int(item.get("total_annotations_number") or 0),
    )


def read_task(item: Any) -> LsTask:
    """A task with its annotations."""
    body = as_object(item)
    data, annotations = body.get("data"), body.get("annotations")
    return LsTask(
        id=whole(body, "id"),
        created_at=str(body.get("created_at")),
        updated_at=str(body.get("updated_at")),
        data=data if isinstance(data, dict) else {},
        annotations=tuple(a for a in annotations or () if isinstance(a, dict)),
    )


def read_versions(item: Mapping[str, Any]) -> frozenset[str]:
    """The versions whose predictions a task has."""
    found = item.get("predictions_model_versions")
    names = found.split(",") if isinstance(found, str) else found or ()
    return frozenset(str(name).strip() for name in names)


def read_backend(item: Mapping[str, Any]) -> LsBackend:
    """An ML backend."""
    return LsBackend(whole(item, "id"), str(item.get("url")), str(item.get("title")))


def read_webhook(item: Mapping[str, Any]) -> LsWebhook:
    """A webhook."""
    return LsWebhook(whole(item, "id"), str(item.get("url")), item.get("is_active") is True)
