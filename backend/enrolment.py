"""How a project gets into the registry: with the shipped base adapter as its version 0."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from backend.labelstudio.label_config import labels_of
from backend.settings import Settings
from model.base.catalogue import ENTRIES
from model.base.load import RECORD_FILE, base_folder, base_identity, without_quantisation
from model.errors import AdapterError, BaseModelError
from model.lanes import LaneKind, lane_kind
from model.loop.arms import held_out_share
from model.registry import projects
from model.registry.artifacts import ArtifactStore
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.registry.tables import Project

UNKNOWN_TASKS = 200
"""Assumed size of a project that Label Studio itself introduced: it does not say how large."""


class Enrolment:
    """Registers projects, each once.

    Args:
        database: The registry.
        store: Where version 0's files go.
        settings: Names the base model and its adapter.
    """

    def __init__(self, database: Database, store: ArtifactStore, settings: Settings) -> None:
        self._database, self._store, self._settings = database, store, settings
        self._lock = Lock()
        self._adapters: dict[str, BaseAdapter] = {}

    def enrol(
        self,
        uid: str,
        url: str,
        *,
        title: str = "",
        config: str = "",
        tasks: int = UNKNOWN_TASKS,
        method: str | None = None,
        held_out: float | None = None,
    ) -> Project:
        """The project of this uid, registered if it is new.

        A labeling config that nerloop cannot use does not hinder it; it is told later. A project
        that is known keeps its method, whatever is named here.

        Args:
            uid: What Label Studio calls the project.
            url: Label Studio's address.
            title: The project's title.
            config: Its labeling config.
            tasks: How many tasks it has.
            method: What a new project trains with; None takes the configured one.
            held_out: Share of tasks a new project keeps aside for the gate; by default it follows
                from the number of tasks.

        Raises:
            UnknownLaneError: If no project can use the method.
            BaseModelError: If the base model was not fetched yet.
            AdapterError: If no adapter for it is there.
        """
        with self._database.read() as session:
            known = projects.by_uid(session, uid)
        if known is not None:
            return known
        new = NewProject(
            uid=uid,
            url=url,
            ls_id=int(uid.partition(".")[0]),
            title=title[:500],
            label_config=config,
            label_set=labels_of(config)[0],
            held_out_share=held_out_share(tasks) if held_out is None else held_out,
            base_adapter=self.base_adapter(method or self._settings.method),
        )
        with self._database.begin() as session:
            return projects.register(session, new)

    def base_adapter(self, method: str) -> BaseAdapter:
        """Version 0 of every new project of a method, taken into the store on first use.

        Raises:
            UnknownLaneError: If no project can use the method.
            BaseModelError: If the base model was not fetched yet.
            AdapterError: If no adapter for it is there, or it belongs to another base model.
        """
        with self._lock:
            if method not in self._adapters:
                self._adapters[method] = self._import(lane_kind(method))
            return self._adapters[method]

    def _import(self, lane: LaneKind) -> BaseAdapter:
        from model.methods import method_entry

        settings, base = self._settings, self._settings.base_of(lane.method)
        name, digest = _identity(settings.home, base, lane)
        folder = settings.adapter_of(lane.method) or method_entry(lane.method).shipped(digest)
        if folder is None:
            raise AdapterError(
                f"No base adapter of {lane.method} ships for the base model {base}. Train one with "
                f"`nerloop base train --method {lane.method}` and name its folder in "
                f"{lane.adapter_variable}."
            )
        artifact = self._store.import_folder(folder)
        origin = json.loads(self._store.read(artifact)["nerloop.json"])
        if (origin.get("method"), origin.get("base_digest")) != (lane.method, digest):
            raise BaseModelError(
                f"The base adapter in {folder} was made for another method or base model than "
                f"{lane.method} on {base}. Set {lane.base_variable} or {lane.adapter_variable} so "
                "that they match."
            )
        return BaseAdapter(
            method=lane.method,
            base_name=name,
            base_digest=digest,
            artifact_digest=artifact,
            config=dict(origin.get("config") or {}),
        )


def _identity(home: Path, base: str, lane: LaneKind) -> tuple[str, str]:
    name, _ = without_quantisation(base)
    if name in ENTRIES and not (base_folder(home, base) / RECORD_FILE).is_file():
        raise BaseModelError(
            f"The method {lane.method} works on the base model {base}, which is not here yet. "
            f"Fetch it with: nerloop base fetch {name}"
        )
    return base_identity(home, base)


def usable_address(hostname: str, default: str) -> str:
    """Label Studio's own idea of its address if it is one, else ours."""
    parts = urlsplit(hostname)
    return hostname if parts.scheme in ("http", "https") and parts.hostname else default
