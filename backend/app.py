"""The web process: everything is wired here and nowhere else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from backend import errors
from backend.auth import Gatekeeper
from backend.enrolment import Enrolment
from backend.login import Doorman, Entrance, LoginBrake
from backend.metrics import Metrics
from backend.routes import (
    admin,
    health,
    login,
    page_moves,
    page_runs,
    page_switches,
    pages,
    predict,
    setup,
    webhook,
)
from backend.services import Services, Turnstile
from backend.serving import OpenEngine, Serving, engine_opener
from backend.settings import Settings
from model.registry.artifacts import ArtifactStore
from model.registry.base import utc_now
from model.registry.loading import read_version
from model.registry.session import Database

WEBHOOK_WAIT = 0.2
"""Seconds a webhook waits for another writer; the next pass finds what it would have told."""


def create_app(settings: Settings, open_engine: OpenEngine | None = None) -> FastAPI:
    """The ML API, the admin API, health and metrics.

    Args:
        settings: Everything configurable.
        open_engine: Loads a method's base model; by default the configured one.

    Returns:
        An ASGI app. Starting it brings the database's schema up to date and begins to load the
        base model in the background; ``/health`` waits for neither.
    """
    database = Database(settings.database_url.reveal())
    store = ArtifactStore(settings.artifacts)
    metrics = Metrics()
    shared = Services(
        settings=settings,
        database=database,
        doorbell=Database(settings.database_url.reveal(), busy_timeout=WEBHOOK_WAIT),
        enrolment=Enrolment(database, store, settings),
        serving=Serving(
            open_engine or engine_opener(settings),
            lambda served: read_version(database, store, served.version_id),
            metrics,
            method=settings.method,
        ),
        metrics=metrics,
        turnstile=Turnstile(),
        entrance=Entrance(Doorman(database, utc_now), LoginBrake(time.monotonic)),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        database.upgrade()
        shared.serving.warm_up(shared.everything_served)
        yield
        shared.close()

    # the interactive pages load scripts from elsewhere, so only the schema itself is served
    app = FastAPI(title="nerloop", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.services = shared
    errors.install(app)
    ml_api, admin_side = (health, setup, predict, webhook), (admin, login)
    for module in (*ml_api, *admin_side, pages, page_runs, page_moves, page_switches):
        app.include_router(module.router)
    app.add_middleware(
        Gatekeeper,
        basic=settings.basic_auth,
        admin=settings.admin_token,
        doorman=shared.entrance.doorman,
    )
    return app
