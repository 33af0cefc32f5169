"""What the routes share: the registry, the artifact store, the engine, the settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from anyio import CapacityLimiter
from starlette.requests import Request

from backend.enrolment import Enrolment
from backend.errors import RequestError
from backend.login import Entrance
from backend.metrics import Metrics
from backend.serving import Serving
from backend.settings import Settings
from model.registry import aliases, projects
from model.registry.aliases import Served
from model.registry.session import Database

WORKING = 4
"""Requests for predictions that are worked on at the same time."""

WAITING = 32
"""Requests for predictions taken at all at the same time; more are told to come back."""


@dataclass
class Turnstile:
    """Lets a bounded number of prediction requests in."""

    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(WORKING))
    inside: int = 0
    lock: Lock = field(default_factory=Lock)

    def enter(self) -> None:
        """Take a place.

        Raises:
            RequestError: 503 if there is none.
        """
        with self.lock:
            if self.inside >= WAITING:
                raise RequestError(503, "Too many predictions are asked for at once; try again.")
            self.inside += 1

    def leave(self) -> None:
        """Give the place back."""
        with self.lock:
            self.inside -= 1


@dataclass(frozen=True)
class Services:
    """One of each, made by ``create_app``.

    Attributes:
        database: The registry, waiting up to 5 s for another writer.
        doorbell: The same registry, waiting at most 200 ms: Label Studio gives a webhook 1 s.
    """

    settings: Settings
    database: Database
    doorbell: Database
    enrolment: Enrolment
    serving: Serving
    metrics: Metrics
    turnstile: Turnstile
    entrance: Entrance

    def everything_served(self) -> Iterable[tuple[int, Served]]:
        """The served version of every connected project."""
        with self.database.read() as session:
            return [
                (project.id, aliases.served(session, project.id))
                for project in projects.connected(session)
            ]

    def close(self) -> None:
        """Give the database connections back."""
        self.database.close()
        self.doorbell.close()


def services(request: Request) -> Services:
    """The services of the app that got this request."""
    found: Services = request.app.state.services
    return found
