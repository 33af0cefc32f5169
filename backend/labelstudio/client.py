"""Label Studio's REST API as far as nerloop needs it, in typed values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from backend.labelstudio.answers import (
    IdPage,
    LsBackend,
    LsProject,
    LsTask,
    LsWebhook,
    as_items,
    as_object,
    read_backend,
    read_project,
    read_task,
    read_versions,
    read_webhook,
    whole,
)
from backend.labelstudio.errors import LabelStudioAnswerError, LabelStudioNotFoundError, PushError
from backend.labelstudio.rest import RestCalls
from backend.secret_values import Secret

PAGE = 500
ID_PAGE = 1_000
TASK_FIELDS = (
    "id,created_at,updated_at,data,annotations,"
    "result,was_cancelled,ground_truth,lead_time,parent_prediction"
)
"""Of tasks and, since the choice applies to them too, of annotations; no predictions, no users."""
PUSH = 500
"""Predictions in one bulk call: 500 take about 0.3 s."""


class LabelStudioClient:
    """Reads and writes one Label Studio; the only place that knows its paths.

    Every method may raise a ``LabelStudioError``.
    """

    def __init__(
        self, url: str, token: Secret, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._rest = RestCalls(url, token, transport=transport)
        self.url = self._rest.url

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement to have it closed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._rest.close()

    def project(self, project: int) -> LsProject:
        """One project."""
        return read_project(self._rest.call("GET", f"/api/projects/{project:d}"))

    def update_project(self, project: int, fields: Mapping[str, Any]) -> LsProject:
        """Change some of a project's settings."""
        return read_project(
            self._rest.call("PATCH", f"/api/projects/{project:d}", body=dict(fields))
        )

    def changed_tasks(self, project: int, since: str | None) -> Iterator[list[LsTask]]:
        """Tasks changed after ``since`` (all of them for None), by pages of 500."""
        params = {"fields": "all", "include": TASK_FIELDS}
        if since is not None:
            params |= _where("updated_at", "greater", "Datetime", since)
        for page in self._pages(project, PAGE, params):
            yield [read_task(item) for item in page["tasks"]]

    def task_ids(self, project: int, page: int = 1) -> IdPage:
        """A page of 1,000 tasks, reduced to who they are."""
        body = self._tasks(project, page, ID_PAGE, {"include": "id,created_at"})
        keys = ((whole(item, "id"), str(item.get("created_at"))) for item in body["tasks"])
        return IdPage(body["total"], frozenset(keys))

    def tasks_with(self, project: int, version: str) -> frozenset[int]:
        """Ids of the tasks that have a stored prediction of this version."""
        params = {"fields": "all", "include": "id,predictions_model_versions"}
        # Label Studio compares parts of the list's text, so "2.1" finds "2.10" as well
        params |= _where("predictions_model_versions", "contains", "String", version)
        return frozenset(
            whole(item, "id")
            for page in self._pages(project, ID_PAGE, params)
            for item in page["tasks"]
            if version in read_versions(item)
        )

    def annotate(self, task: int, result: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Submit an annotation, as a person does who worked on it for so long."""
        body = {"result": [dict(item) for item in result], "lead_time": seconds}
        self._rest.call("POST", f"/api/tasks/{task:d}/annotations", body=body)

    def push(self, project: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store predictions, at most 500 in one call.

        Raises:
            PushError: If Label Studio dropped some of them, which it does without a word.
        """
        path = f"/api/projects/{project:d}/import/predictions"
        for first in range(0, len(rows), PUSH):
            part = [dict(row) for row in rows[first : first + PUSH]]
            answer = self._rest.call("POST", path, body=part)
            created = answer.get("created") if isinstance(answer, dict) else None
            if created != len(part):
                raise PushError(
                    f"Label Studio stored {created} of {len(part)} predictions of project "
                    f"{project}; their labels or names may no longer fit its labeling config."
                )

    def stored_versions(self, project: int) -> frozenset[str]:
        """The versions of which predictions are stored; only these can be pointed at."""
        path = f"/api/projects/{project:d}/model-versions/"
        body = as_object(self._rest.call("GET", path, params={"extended": "true"}))
        return frozenset(str(item.get("model_version")) for item in as_items(body.get("static")))

    def delete_rows(self, project: int, version: str) -> None:
        """Delete all stored predictions of a version; the pointer may become empty by it."""
        path = f"/api/projects/{project:d}/model-versions/"
        self._rest.call("DELETE", path, body={"model_version": version})

    def set_pointer(self, project: int, version: str) -> str:
        """Serve this version to annotators.

        Returns:
            The pointer as Label Studio shows it afterwards.
        """
        return self.update_project(project, {"model_version": version}).pointer

    def next_versions(self, project: int) -> frozenset[str]:
        """The versions whose predictions come with the task an annotator would get next."""
        body = as_object(self._rest.call("GET", f"/api/projects/{project:d}/next"))
        return frozenset(
            str(item.get("model_version")) for item in as_items(body.get("predictions"))
        )

    def backends(self, project: int) -> list[LsBackend]:
        """The ML backends of a project; the first one predicts."""
        body = self._rest.call("GET", "/api/ml", params={"project": project})
        return [read_backend(item) for item in as_items(body)]

    def create_backend(self, fields: Mapping[str, Any]) -> LsBackend:
        """Add an ML backend; Label Studio asks its ``/health`` and ``/setup`` meanwhile."""
        return read_backend(as_object(self._rest.call("POST", "/api/ml", body=dict(fields))))

    def update_backend(self, backend: int, fields: Mapping[str, Any]) -> LsBackend:
        """Change an ML backend."""
        path = f"/api/ml/{backend:d}"
        return read_backend(as_object(self._rest.call("PATCH", path, body=dict(fields))))

    def delete_backend(self, backend: int) -> None:
        """Remove an ML backend; its webhook stays."""
        self._rest.call("DELETE", f"/api/ml/{backend:d}")

    def webhooks(self, project: int) -> list[LsWebhook]:
        """The webhooks of a project."""
        body = self._rest.call("GET", "/api/webhooks/", params={"project": project})
        return [read_webhook(item) for item in as_items(body)]

    def create_webhook(self, fields: Mapping[str, Any]) -> None:
        """Add a webhook."""
        self._rest.call("POST", "/api/webhooks/", body=dict(fields))

    def update_webhook(self, webhook: int, fields: Mapping[str, Any]) -> None:
        """Change a webhook."""
        self._rest.call("PATCH", f"/api/webhooks/{webhook:d}/", body=dict(fields))

    def delete_webhook(self, webhook: int) -> None:
        """Remove a webhook."""
        self._rest.call("DELETE", f"/api/webhooks/{webhook:d}/")

    def _pages(
        self, project: int, size: int, params: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            try:
                body = self._tasks(project, page, size, params)
            except LabelStudioNotFoundError:
                if page > 1:  # tasks were deleted meanwhile: this page does not exist any more
                    return
                raise
            yield body
            if page * size >= body["total"] or not body["tasks"]:
                return
            page += 1

    def _tasks(
        self, project: int, page: int, size: int, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        asked = {"project": project, "page": page, "page_size": size, **params}
        body = as_object(self._rest.call("GET", "/api/tasks", params=asked))
        if not isinstance(body.get("tasks"), list) or not isinstance(body.get("total"), int):
            raise LabelStudioAnswerError("Label Studio's list of tasks has an unknown form.")
        return body


def _where(column: str, operator: str, kind: str, value: str) -> dict[str, str]:
    item = {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }
    return {"query": json.dumps({"filters": {"conjunction": "and", "items": [item]}})}
