"""The worker's settings, read once from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import NerLoopError
from model.lanes import LANES, lane_kind


class WorkerSettingsError(NerLoopError):
    """A setting of the worker cannot be read."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs to know.

    Attributes:
        home: State folder (``NERLOOP_HOME``).
        database_url: The registry's database (``DATABASE_URL``); hidden, it may hold a password.
        redis_url: The doorbell (``REDIS_URL``, or host and port); hidden for the same reason.
        base: Language model, by catalogue name or folder (``NERLOOP_BASE``).
        encoder: Encoder of the label-aware method, likewise (``NERLOOP_ENCODER``).
        threads: Threads of the tensor library; None leaves its default (``NERLOOP_THREADS``).
        time_scale: Factor on lease, beat and sweep times (``NERLOOP_TIME_SCALE``); 1 in real life.
        log_level: ``LOG_LEVEL``.
    """

    home: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    base: str
    encoder: str
    threads: int | None
    time_scale: float
    log_level: str

    @property
    def artifacts(self) -> Path:
        """Root of the artifact store."""
        return self.home / "artifacts"

    def base_of(self, method: str) -> str:
        """The base model that a method works on.

        Raises:
            UnknownLaneError: If no project can use the method.
        """
        return self.base if lane_kind(method).queue == "slow" else self.encoder

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> WorkerSettings:
        """Read the environment.

        Raises:
            WorkerSettingsError: If a value is not what its variable expects.
        """
        threads = _number(environ, "NERLOOP_THREADS")
        home = Path(environ.get("NERLOOP_HOME") or ".nerloop").absolute()
        return cls(
            home=home,
            database_url=environ.get("DATABASE_URL") or f"sqlite:///{home / 'nerloop.db'}",
            redis_url=environ.get("REDIS_URL") or _redis_url(environ),
            base=environ.get("NERLOOP_BASE") or LANES["cllmfs"].base,
            encoder=environ.get("NERLOOP_ENCODER") or LANES["label_aware"].base,
            threads=None if threads is None else max(1, int(threads)),
            time_scale=_number(environ, "NERLOOP_TIME_SCALE") or 1.0,
            log_level=(environ.get("LOG_LEVEL") or "INFO").upper(),
        )


def _redis_url(environ: Mapping[str, str]) -> str:
    host = environ.get("REDIS_HOST") or "127.0.0.1"
    return f"redis://{host}:{int(_number(environ, 'REDIS_PORT') or 6379)}/0"


def _number(environ: Mapping[str, str], name: str) -> float | None:
    raw = environ.get(name, "").strip()
    if not raw:
        return None
    try:
        value = float(raw)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise WorkerSettingsError(f"{name} must be a number above 0, but is {raw!r}.")
    return value
