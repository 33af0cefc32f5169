"""What a job needs: database, artifact store, doorbell and engines, kept warm between jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import Redis

from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from worker.clock import Clock
from worker.doorbell import Doorbell
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from model.engine import Engine


class Context:
    """The tools of one worker process.

    Args:
        settings: Read once by the process.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.clock = Clock.scaled(settings.time_scale)
        self.database = Database(settings.database_url)
        self.artifacts = ArtifactStore(settings.artifacts)
        self.redis = Redis.from_url(settings.redis_url)
        self.doorbell = Doorbell(self.redis)
        self._engines: dict[str, Engine] = {}

    def engine(self, method: str) -> Engine:
        """The engine of a method; its base model is loaded on the first call and stays.

        Raises:
            UnknownLaneError: If no project can use the method.
            BaseModelError: If the base model is missing or damaged.
        """
        if method not in self._engines:
            from model.engine import Engine

            settings = self.settings
            self._engines[method] = Engine.open(
                settings.home, settings.base_of(method), method=method, threads=settings.threads
            )
        return self._engines[method]


_current: list[Context] = []


def install(context: Context) -> None:
    """Make a context the one that jobs of this process use."""
    _current[:] = [context]


def current() -> Context:
    """The context of this process.

    Raises:
        RuntimeError: If none was installed: jobs run in the worker's child only.
    """
    if not _current:
        raise RuntimeError("No worker context: start jobs through `python -m worker`.")
    return _current[0]
