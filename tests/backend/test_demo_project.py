"""The demo project is made once, filled once and found again."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from backend.demo.project import TITLE, DemoProjectError, ensure_demo_project
from backend.demo.texts import demo_texts


class LabelStudio:
    """Projects in memory, two to a page."""

    def __init__(self, *titles: str) -> None:
        self.projects = [
            {"id": number, "title": title, "task_number": 1}
            for number, title in enumerate(titles, start=1)
        ]
        self.calls: list[str] = []
        self.imported: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Token abc"
        self.calls.append(f"{request.method} {request.url.path}")
        if request.method == "GET":
            page = int(request.url.params["page"])
            shown = self.projects[2 * page - 2 : 2 * page]
            more = "yes" if len(self.projects) > 2 * page else None
            return httpx.Response(200, json={"results": shown, "next": more})
        body = json.loads(request.content)
        if request.url.path == "/api/projects":
            made = {"id": len(self.projects) + 1, "title": body["title"], "task_number": 0}
            self.projects.append(made)
            return httpx.Response(201, json={**made, "label_config": body["label_config"]})
        self.imported += body
        number = int(request.url.path.split("/")[3])
        self.projects[number - 1]["task_number"] = len(body)
        return httpx.Response(201, json={"task_count": len(body)})

    def ensure(self) -> int:
        return ensure_demo_project("http://ls", "abc", transport=httpx.MockTransport(self))


def test_it_is_made_filled_and_found_again_among_others() -> None:
    there = LabelStudio("A", "B", "C")
    assert there.ensure() == 4
    assert [task["text"] for task in there.imported] == demo_texts()
    there.calls.clear()
    assert there.ensure() == 4
    assert there.calls == ["GET /api/projects", "GET /api/projects"]  # it is on the second page
    assert len(there.imported) == len(demo_texts())


def test_a_start_cut_short_before_the_import_is_completed() -> None:
    there = LabelStudio(TITLE)
    there.projects[0]["task_number"] = 0
    assert there.ensure() == 1
    assert len(there.imported) == len(demo_texts())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (httpx.Response(403, json={}), "status 403"),
        (httpx.Response(200, text="<html>"), "JSONDecodeError"),
        (httpx.Response(200, json={}), "KeyError"),
        (httpx.ConnectError("secret detail"), "ConnectError"),
    ],
)
def test_a_refusal_is_one_sentence(answer: httpx.Response | Exception, cause: str) -> None:
    def say(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(DemoProjectError, match=cause) as caught:
        ensure_demo_project("http://ls", "abc", transport=httpx.MockTransport(say))
    assert "secret detail" not in str(caught.value)
