"""A Label Studio in memory that answers the calls nerloop makes, as version 1.23.2 does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
CREATED = "2023-11-14T22:13:20.500000Z"  # unix time 1700000000


@dataclass
class FakeLabelStudio:
    """One project, its tasks, annotations, stored predictions, backends and webhooks."""

    token: str = "0123456789abcdef"
    title: str = "garden"
    config: str = CONFIG
    pointer: str = ""
    created_at: str = CREATED
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    backends: dict[int, dict[str, Any]] = field(default_factory=dict)
    webhooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    refuse_backend: str = ""  # "backend" or "webhook": which address switch is still on
    makes_webhook: bool = True
    drop: int = 0  # of the next bulk push, so many rows are dropped without a word
    fail: Callable[[str, str], httpx.Response | None] | None = None
    clock: int = 0

    def transport(self) -> httpx.MockTransport:
        """Takes the place of the network."""
        return httpx.MockTransport(self.answer)

    def now(self) -> str:
        """A later time at each call."""
        self.clock += 1
        return f"2026-11-20T09:{self.clock // 60 % 60:02d}:{self.clock % 60:02d}.000001Z"

    def add_task(self, task_id: int, text: Any, *annotations: dict[str, Any]) -> None:
        """A new task."""
        now = self.now()
        self.tasks[task_id] = {
            "id": task_id,
            "created_at": now,
            "updated_at": now,
            "data": {"text": text},
            "annotations": [],
        }
        for annotation in annotations:
            self.annotate(task_id, **annotation)

    def annotate(
        self, task_id: int, *spans: tuple[int, int, str], number: int | None = None, **more: Any
    ) -> None:
        """A person submits an annotation (or changes the one of this number)."""
        task, now = self.tasks[task_id], self.now()
        text = task["data"]["text"]
        result = [
            {
                "id": f"r{place}",
                "from_name": "label",
                "to_name": "text",
                "type": "labels",
                "value": {"start": s, "end": e, "text": text[s:e], "labels": [label]},
            }
            for place, (s, e, label) in enumerate(spans)
        ]
        item = {
            "id": number or 1000 * task_id + len(task["annotations"]),
            "result": result,
            "was_cancelled": False,
            "ground_truth": False,
            "lead_time": 1.0,
            "parent_prediction": None,
            "created_at": now,
            **more,
            "updated_at": now,
        }
        kept = [a for a in task["annotations"] if a["id"] != item["id"]]
        task["annotations"] = [*kept, item]
        task["updated_at"] = now

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the server says."""
        path, method = request.url.path, request.method
        self.calls.append((method, path))
        if self.fail is not None and (failed := self.fail(method, path)) is not None:
            return failed
        if request.headers.get("authorization") != f"Token {self.token}":
            return httpx.Response(401, json={"detail": "Invalid token."})
        body = json.loads(request.content) if request.content else None
        params = dict(request.url.params)
        if path == "/api/tasks":
            return self._list(params)
        if path == "/api/ml":
            return self._ml(method, body)
        if path == "/api/webhooks/":
            return self._hooks(method, body)
        if found := re.fullmatch(r"/api/projects/1(/.*)?", path):
            return self._project(method, found[1] or "", body)
        if found := re.fullmatch(r"/api/(ml|webhooks)/(\d+)/?", path):
            return self._one(method, found[1], int(found[2]), body)
        if found := re.fullmatch(r"/api/tasks/(\d+)/annotations", path):
            return self._submit(int(found[1]), body)
        return httpx.Response(404, json={"detail": "Not found."})

    def _submit(self, task: int, body: Any) -> httpx.Response:
        if task not in self.tasks:
            return httpx.Response(404, json={"detail": "Not found."})
        self.annotate(task, **body)
        return httpx.Response(201, json={})

    def _project(self, method: str, rest: str, body: Any) -> httpx.Response:
        if rest == "/next":
            shown = [row for row in self.rows if row["model_version"] == self.pointer][:1]
            return httpx.Response(200, json={"id": 1, "predictions": shown})
        if rest == "/import/predictions":
            return self._push(body)
        if rest == "/model-versions/" and method == "DELETE":
            gone = body["model_version"]
            self.rows = [row for row in self.rows if row["model_version"] != gone]
            if self.pointer == gone:
                self.pointer = ""
            return httpx.Response(200, json={"deleted_predictions": 1})
        if rest == "/model-versions/":
            names = sorted({row["model_version"] for row in self.rows})
            return httpx.Response(200, json={"static": [{"model_version": n} for n in names]})
        if method == "PATCH":
            wanted = body.pop("model_version", None)
            if wanted is not None:
                known = {row["model_version"] for row in self.rows}
                known |= {item["title"] for item in self.backends.values()}
                if wanted not in known:
                    return httpx.Response(400, json={"detail": "Validation error"})
                self.pointer = wanted
            self.settings.update(body)
        return httpx.Response(
            200,
            json={
                "id": 1,
                "title": self.title,
                "created_at": self.created_at,
                "label_config": self.config,
                "model_version": self.pointer,
                "task_number": len(self.tasks),
                "total_annotations_number": sum(
                    len(task["annotations"]) for task in self.tasks.values()
                ),
            },
        )

    def _list(self, params: dict[str, str]) -> httpx.Response:
        page, size = int(params["page"]), int(params["page_size"])
        found = [dict(task) for _, task in sorted(self.tasks.items())]
        for task in found:
            names = sorted(r["model_version"] for r in self.rows if r["task"] == task["id"])
            task["predictions_model_versions"] = ",".join(names)
        if "query" in params:
            item = json.loads(unquote(params["query"]))["filters"]["items"][0]
            if item["filter"].endswith("updated_at"):
                found = [task for task in found if task["updated_at"] > item["value"]]
            else:
                column = item["filter"].rpartition(":")[2]
                found = [task for task in found if item["value"] in task[column]]
        if page > 1 and (page - 1) * size >= len(found):
            return httpx.Response(404, json={"detail": "Invalid page."})
        wanted = params["include"].split(",")
        part = [{k: t[k] for k in wanted if k in t} for t in found]
        part = part[(page - 1) * size : page * size]
        return httpx.Response(200, json={"tasks": part, "total": len(found)})

    def _push(self, body: list[dict[str, Any]]) -> httpx.Response:
        if any(row["task"] not in self.tasks for row in body):
            return httpx.Response(400, json={"detail": "contains invalid task"})
        kept = body[self.drop :]
        self.drop = 0
        self.rows += kept
        return httpx.Response(201, json={"created": len(kept)})

    def _ml(self, method: str, body: Any) -> httpx.Response:
        if method == "GET":
            return httpx.Response(200, json=list(self.backends.values()))
        refused = httpx.Response(
            403, json={"detail": "URL resolves to a reserved network address (block: 127.0.0.0/8)"}
        )
        if self.refuse_backend == "backend":
            return refused
        number = len(self.backends) + 1
        self.backends[number] = {**body, "id": number}
        self.pointer = self.pointer or body["title"]
        if self.refuse_backend == "webhook":
            return refused
        if self.makes_webhook:
            self._hooks("POST", {"url": body["url"] + "/webhook", "is_active": True})
        return httpx.Response(201, json=self.backends[number])

    def _hooks(self, method: str, body: Any) -> httpx.Response:
        if method == "GET":
            return httpx.Response(200, json=list(self.webhooks.values()))
        if self.refuse_backend:
            return httpx.Response(403, json={"detail": "URL resolves to a reserved address"})
        number = len(self.webhooks) + 1
        self.webhooks[number] = {"headers": {}, **body, "id": number}
        return httpx.Response(201, json=self.webhooks[number])

    def _one(self, method: str, kind: str, number: int, body: Any) -> httpx.Response:
        things = self.backends if kind == "ml" else self.webhooks
        if number not in things:
            return httpx.Response(404, json={"detail": "Not found."})
        if method == "DELETE":
            del things[number]
            return httpx.Response(204)
        things[number].update(body)
        return httpx.Response(200, json=things[number])
