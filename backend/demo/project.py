"""The demo project in Label Studio: made on the first start, found again on every later one."""

from __future__ import annotations

from typing import Any

import httpx

from backend.demo.texts import demo_label_config, demo_texts
from model.errors import NerLoopError

TITLE = "Garden help desk (demo)"
DESCRIPTION = "Notes from a plant-health help line. Mark people, places, plants and pests."
HELD_OUT_SHARE = 0.2
"""Of 260 texts some 52 are then held out, and never fewer than the 25 a verdict needs."""
PAGE = 100
TIMEOUT = 60.0


class DemoProjectError(NerLoopError):
    """Label Studio refused to make the demo project."""


def ensure_demo_project(
    url: str, token: str, *, transport: httpx.BaseTransport | None = None
) -> int:
    """The number of the demo project; made and filled if it is not there yet.

    Args:
        url: Label Studio's address.
        token: The demo user's legacy token.
        transport: Replaces the network in tests.

    Raises:
        DemoProjectError: If Label Studio refuses, or cannot be reached.
    """
    client = httpx.Client(
        base_url=url,
        headers={"Authorization": f"Token {token}"},
        timeout=TIMEOUT,
        trust_env=False,
        transport=transport,
    )
    try:
        with client:
            project = _find(client) or _create(client)
            if int(project.get("task_number") or 0) == 0:
                _fill(client, int(project["id"]))
            return int(project["id"])
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise DemoProjectError(
            f"Label Studio at {url} did not make the demo project ({_cause(error)})."
        ) from error


def _find(client: httpx.Client) -> dict[str, Any] | None:
    page, more = 1, True
    while more:
        params = {"page": page, "page_size": PAGE}
        answer = client.get("/api/projects", params=params).raise_for_status().json()
        for project in answer["results"]:
            if project["title"] == TITLE:
                return dict(project)
        page, more = page + 1, bool(answer.get("next"))
    return None


def _create(client: httpx.Client) -> dict[str, Any]:
    body = {
        "title": TITLE,
        "description": DESCRIPTION,
        "label_config": demo_label_config(),
        "show_collab_predictions": True,
    }
    return dict(client.post("/api/projects", json=body).raise_for_status().json())


def _fill(client: httpx.Client, number: int) -> None:
    tasks = [{"text": text} for text in demo_texts()]
    client.post(f"/api/projects/{number}/import", json=tasks).raise_for_status()


def _cause(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return type(error).__name__
