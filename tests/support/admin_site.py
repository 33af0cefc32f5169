"""The web process on a seeded registry: in this process, or listening on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from backend.app import create_app
from backend.settings import Settings
from capitals_engine import CapitalsEngine
from loop_processes import free_port, until
from model.registry.session import Database

TOKEN = "adm1n-t0ken-of-the-tests"


@dataclass(frozen=True, slots=True)
class Site:
    """A web process's app and its registry."""

    app: FastAPI
    registry: Database


@contextmanager
def site(home: Path, seed: Callable[[Database], object]) -> Iterator[Site]:
    """The app on a registry that ``seed`` filled."""
    environment = {
        "NERLOOP_HOME": str(home),
        "NERLOOP_ADMIN_TOKEN": TOKEN,
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    settings = Settings.from_environ(environment)
    registry = Database(settings.database_url.reveal())
    registry.upgrade()
    seed(registry)
    try:
        yield Site(create_app(settings, open_engine=lambda method: CapitalsEngine()), registry)
    finally:
        registry.close()


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port of loopback; yields its address."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until("the web process", lambda: server.started, 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
