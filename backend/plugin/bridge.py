"""The nerloop application inside a label-studio-ml process, asked without a network."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Thread
from typing import Any

import httpx

from backend.settings import Settings
from model.errors import NerLoopError
from model.registry import aliases, projects
from model.registry.session import Database

INSIDE = "http://nerloop.invalid"


class BridgeError(NerLoopError):
    """nerloop inside label-studio-ml refused a request."""


class Bridge:
    """Hands label-studio-ml's calls to the very routes Label Studio would call.

    Args:
        settings: Where the home, the database and Redis are.
    """

    def __init__(self, settings: Settings) -> None:
        from backend.app import create_app

        self._settings = settings
        self._database = Database(settings.database_url.reveal())
        self._database.upgrade()
        self._app = create_app(settings)
        # one loop for the life of the process: label-studio-ml calls from several threads, and a
        # daemon thread lets its short-lived training processes end
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, name="nerloop", daemon=True).start()

    def uid(self, tasks: Sequence[Mapping[str, Any]], known: str = "") -> str:
        """The uid of the tasks' project: as given, else by its number in the registry.

        Raises:
            BridgeError: If the tasks name no project, or several.
            UnknownProjectError: If their project was never connected.
        """
        if known:
            return known
        numbers = {task.get("project") for task in tasks}
        number = numbers.pop() if len(numbers) == 1 else None
        if not isinstance(number, int):
            raise BridgeError("The tasks do not name the one project they belong to.")
        with self._database.read() as session:
            return projects.by_label_studio(session, number).uid

    def version(self, uid: str) -> str | None:
        """Name of the version a project serves, or None for a project not met yet."""
        with self._database.read() as session:
            project = projects.by_uid(session, uid)
            return aliases.served(session, project.id).name if project else None

    def predict(
        self,
        tasks: Sequence[Mapping[str, Any]],
        *,
        uid: str,
        label_config: str | None,
        context: Mapping[str, Any] | None,
    ) -> list[dict[str, Any]]:
        """One prediction per task, in order, as ``POST /predict`` answers.

        Raises:
            BridgeError: If the request is refused; the message says why.
        """
        body = {
            "tasks": list(tasks),
            "project": uid,
            "label_config": label_config,
            "params": {"context": context},
        }
        return [dict(item) for item in self._post("/predict", body)["results"]]

    def notify(self, event: str, data: Mapping[str, Any]) -> None:
        """Pass an event on, as ``POST /webhook`` takes it: recorded and rung, never awaited.

        Raises:
            BridgeError: If the event is refused.
        """
        self._post("/webhook", {**data, "action": event})

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {}
        if self._settings.basic_auth is not None:
            pair = self._settings.basic_auth
            raw = f"{pair.user}:{pair.password.reveal()}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(raw).decode()}"

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=INSIDE) as client:
                return await client.post(path, json=body, headers=headers, timeout=None)

        answer = asyncio.run_coroutine_threadsafe(ask(), self._loop).result()
        if answer.is_error:
            raise BridgeError(f"nerloop answered {path} with {answer.status_code}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found


@lru_cache(maxsize=1)
def shared_bridge() -> Bridge:
    """The bridge of this process, made on first use.

    Raises:
        SettingsError: If the environment holds something unusable.
    """
    return Bridge(Settings.from_environ(os.environ))
