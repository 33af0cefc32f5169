"""The sweeper: rings again for waiting rows, revokes silent holders, collects garbage."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta

from model.errors import NerLoopError
from model.registry import inbox, predictions, retention, runs
from model.registry.artifacts import ArtifactStore, writer
from model.registry.base import utc_now
from model.registry.session import Database
from worker.clock import Clock
from worker.doorbell import Doorbell

log = logging.getLogger(__name__)


@dataclass
class _Sighting:
    """A holder's last signs of life, on our own monotonic clock."""

    holder: runs.Holder
    beat_since: float
    step_since: float


class Sweeper:
    """Looks at the rows now and then; several of them do no harm.

    Times are compared on this process's own monotonic clock, so that no clock jump steals or
    prolongs a lease.

    Args:
        database: The registry.
        doorbell: Rings RQ.
        artifacts: Where folders aside may be left over.
        clock: Times.
        now: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        doorbell: Doorbell,
        artifacts: ArtifactStore,
        clock: Clock,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._doorbell, self._artifacts = database, doorbell, artifacts
        self._clock, self._now = clock, now
        self._seen: dict[int, _Sighting] = {}
        self._rung: dict[Hashable, float] = {}
        self._collected = now()

    def run(self, stop: threading.Event) -> None:
        """Sweep until told to stop; an error is logged, and the next sweep tries again."""
        while not stop.is_set():
            try:
                self.sweep()
            except (NerLoopError, OSError) as error:
                log.warning("sweep: %s", error)
            except Exception:
                log.exception("sweep failed; trying again")
            stop.wait(self._clock.sweep)

    def sweep(self) -> None:
        """One look: revoke who is silent, ring for who waits, drop what is left over."""
        self._revoke_silent()
        with self._database.read() as session:
            training = runs.to_ring(session)
            windows = predictions.waiting(session)
        for run_id, attempt, method in training:
            key = ("train", run_id, attempt)
            self._ring(key, self._doorbell.train, run_id, attempt, method)
        for version_id, attempt, method in windows:
            key = ("predict", version_id, attempt)
            self._ring(key, self._doorbell.predict, version_id, attempt, method)
        waiting = {("train", *row[:2]) for row in training}
        waiting |= {("predict", *row[:2]) for row in windows}
        self._rung = {key: at for key, at in self._rung.items() if key in waiting}
        self._collect()

    def _collect(self) -> None:
        with self._database.read() as session:
            writers = {writer(item.run_id, item.fence) for item in runs.holders(session)}
        self._artifacts.collect_partials(self._clock.partial, writers)
        if self._now() - self._collected < self._clock.collect:
            return
        self._collected = self._now()
        with self._database.begin() as session:
            inbox.forget_old(session)
        wait = timedelta(seconds=self._clock.condemned)
        done = retention.collect(self._database, self._artifacts, utc_now(), wait)
        if done.condemned or done.deleted:
            log.info("versions condemned: %s, deleted: %s", done.condemned, done.deleted)

    def _ring(
        self,
        key: Hashable,
        ring: Callable[[int, int, str], bool],
        row_id: int,
        attempt: int,
        method: str,
    ) -> None:
        last = self._rung.get(key)
        if last is not None and self._now() - last < self._clock.ring:
            return
        if ring(row_id, attempt, method):
            self._rung[key] = self._now()

    def _revoke_silent(self) -> None:
        now = self._now()
        with self._database.read() as session:
            holders = {item.run_id: item for item in runs.holders(session)}
        self._seen = {run_id: s for run_id, s in self._seen.items() if run_id in holders}
        for run_id, holder in holders.items():
            last = self._seen.get(run_id)
            if last is None or last.holder.fence != holder.fence:
                self._seen[run_id] = _Sighting(holder, now, now)
                continue
            if holder.beat != last.holder.beat:
                last.beat_since = now
            if holder.step != last.holder.step:
                last.step_since = now
            last.holder = holder
            silent = now - last.beat_since >= self._clock.silent
            stuck = now - last.step_since >= self._clock.stuck
            if silent or stuck:
                self._revoke(holder, "was silent" if silent else "made no step")

    def _revoke(self, holder: runs.Holder, why: str) -> None:
        with self._database.begin() as session:
            if runs.revoke(session, holder):
                log.warning("run %s: its holder %s and lost it", holder.run_id, why)
        self._seen.pop(holder.run_id, None)
