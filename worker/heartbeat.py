"""A run's signs of life and its log, from a thread beside the training."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from model.method import Progress
from model.registry import run_log, runs
from model.registry.base import utc_now
from model.registry.errors import FenceLostError
from model.registry.session import Database, Session
from worker.clock import Clock

log = logging.getLogger(__name__)

POINTS = 50
"""Steps of a fit that its log keeps, however quick it is; each beat adds the step it meets."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A step worth a line."""

    step: int
    loss: float
    at: datetime


class Heartbeat:
    """Beats while a run is worked on; a lost fence stops the work at its next step.

    Each beat also writes the run's log: the steps since the last one, with their loss.

    A holder that lost its run and does not come back to a step ends its process: the parent
    starts a new child, and nothing it might still write would match the fence.

    Args:
        database: The registry.
        run_id: The run.
        fence: This holder's number.
        clock: Times between beats.
        attempt: Which attempt at the run it is, from 1.
        now: The present time, aware.
    """

    def __init__(
        self,
        database: Database,
        run_id: int,
        fence: int,
        clock: Clock,
        *,
        attempt: int = 1,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database, self._clock, self._now = database, clock, now
        self._run_id, self._fence, self._attempt = run_id, fence, attempt
        self._progress = Progress(0, 0, 0.0)
        self._points: list[_Point] = []
        self._logged = self._logged_step = 0
        self._writing = threading.Lock()
        self._stop, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def on_step(self, progress: Progress) -> None:
        """Note a step; called by the method's fit.

        Raises:
            FenceLostError: If the run belongs to somebody else by now.
        """
        if progress.step % max(1, progress.steps // POINTS) == 0 or progress.step == progress.steps:
            self._points.append(_Point(progress.step, progress.loss, self._now()))
        self._go_on(progress)

    def say(self, words: str) -> None:
        """Write a line of words into the run's log; a registry that is away costs the line only."""
        try:
            self._write(words)
        except Exception as error:  # noqa: BLE001 - a log must not end the work it tells of
            log.warning("run %s: a line was not written: %s", self._run_id, type(error).__name__)

    def one_more(self) -> None:
        """Note progress after the last step of the fit.

        Raises:
            FenceLostError: If the run belongs to somebody else by now.
        """
        now = self._progress
        self._go_on(Progress(now.step + 1, now.steps + 1, now.loss))

    def _go_on(self, progress: Progress) -> None:
        self._progress = progress
        if self._lost.is_set():
            raise FenceLostError

    def _beat_on(self) -> None:
        while not self._stop.wait(self._clock.beat):
            if self._is_ours():
                continue
            self._lost.set()
            log.warning("run %s belongs to another holder now; stopping", self._run_id)
            if not self._stop.wait(self._clock.silent):
                os._exit(75)
            return

    def _is_ours(self) -> bool:
        try:
            return self._write()
        except Exception as error:  # noqa: BLE001 - a thread that ends would be silence for ever
            log.warning("run %s: a beat was not written: %s", self._run_id, type(error).__name__)
            return True  # silence is judged by the sweeper, not by a database that is away

    def _write(self, words: str | None = None) -> bool:
        """One beat, the steps since the last one, and the words; False if the run is not ours."""
        with self._writing:
            now, points = self._progress, self._points[self._logged :]
            with self._database.begin() as session:
                ours = runs.beat(
                    session,
                    self._run_id,
                    self._fence,
                    step=now.step,
                    steps=now.steps,
                    loss=now.loss if now.steps else None,
                )
                if ours:
                    self._log(session, points or self._between(now), words)
            self._logged += len(points)
            self._logged_step = now.step
        return ours

    def _between(self, now: Progress) -> list[_Point]:
        """The step a beat met, where no chosen one came since the last beat."""
        if not self._logged_step < now.step < now.steps:
            return []
        return [_Point(now.step, now.loss, self._now())]

    def _log(self, session: Session, points: Sequence[_Point], words: str | None) -> None:
        run, attempt = self._run_id, self._attempt
        for point in points:
            run_log.add(session, run, attempt, point.step, point.loss, at=point.at)
        if words is not None:
            run_log.add(session, run, attempt, words=words, at=self._now())
