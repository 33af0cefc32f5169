"""How a project gets into the registry: with the shipped base adapter as its version 0."""

from __future__ import annotations

import json
from threading import Lock
from urllib.parse import urlsplit

from backend.labelstudio.label_config import labels_of
from backend.settings import Settings
from model.base.load import base_identity
from model.errors import AdapterError, BaseModelError
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
        self._adapter: BaseAdapter | None = None

    def enrol(
        self, uid: str, url: str, *, title: str = "", config: str = "", tasks: int = UNKNOWN_TASKS
    ) -> Project:
        """The project of this uid, registered if it is new.

        A labeling config that nerloop cannot use does not hinder it; it is told later.

        Raises:
            BaseModelError: If the base model was not fetched yet.
            AdapterError: If no adapter for it is there.
        """
        new = NewProject(
            uid=uid,
            url=url,
            ls_id=int(uid.partition(".")[0]),
            title=title[:500],
            label_config=config,
            label_set=labels_of(config)[0],
            held_out_share=held_out_share(tasks),
            base_adapter=self.base_adapter(),
        )
        with self._database.begin() as session:
            return projects.register(session, new)

    def base_adapter(self) -> BaseAdapter:
        """Version 0 of every new project, taken into the store on first use.

        Raises:
            BaseModelError: If the base model was not fetched yet.
            AdapterError: If no adapter for it is there, or it belongs to another base model.
        """
        with self._lock:
            if self._adapter is None:
                self._adapter = self._import()
            return self._adapter

    def _import(self) -> BaseAdapter:
        from model.cllmfs.shipped import shipped_adapter

        settings = self._settings
        name, digest = base_identity(settings.home, settings.base)
        folder = settings.base_adapter or shipped_adapter(digest)
        if folder is None:
            raise AdapterError(
                f"No base adapter ships for the base model {settings.base}. Train one with "
                "`nerloop base train` and name its folder in NERLOOP_BASE_ADAPTER."
            )
        artifact = self._store.import_folder(folder)
        origin = json.loads(self._store.read(artifact)["nerloop.json"])
        if origin.get("base_digest") != digest:
            raise BaseModelError(
                f"The base adapter in {folder} was made for another base model than "
                f"{settings.base}. Set NERLOOP_BASE or NERLOOP_BASE_ADAPTER so that they match."
            )
        return BaseAdapter(
            method=str(origin["method"]),
            base_name=name,
            base_digest=digest,
            artifact_digest=artifact,
            config=dict(origin.get("config") or {}),
        )


def usable_address(hostname: str, default: str) -> str:
    """Label Studio's own idea of its address if it is one, else ours."""
    parts = urlsplit(hostname)
    return hostname if parts.scheme in ("http", "https") and parts.hostname else default
