"""A run's signs of life, from a thread beside the training."""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Self

from model.method import Progress
from model.registry import runs
from model.registry.errors import FenceLostError
from model.registry.session import Database
from worker.clock import Clock

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats while a run is worked on; a lost fence stops the work at its next step.

    A holder that lost its run and does not come back to a step ends its process: the parent
    starts a new child, and nothing it might still write would match the fence.

    Args:
        database: The registry.
        run_id: The run.
        fence: This holder's number.
        clock: Times between beats.
    """

    def __init__(self, database: Database, run_id: int, fence: int, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._run_id, self._fence = run_id, fence
        self._progress = Progress(0, 0, 0.0)
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
        self._progress = progress
        if self._lost.is_set():
            raise FenceLostError

    def one_more(self) -> None:
        """Note progress after the last step of the fit.

        Raises:
            FenceLostError: If the run belongs to somebody else by now.
        """
        now = self._progress
        self.on_step(Progress(now.step + 1, now.steps + 1, now.loss))

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
        now = self._progress
        loss = now.loss if now.steps else None
        try:
            with self._database.begin() as session:
                return runs.beat(
                    session, self._run_id, self._fence, step=now.step, steps=now.steps, loss=loss
                )
        except Exception as error:  # noqa: BLE001 - a thread that ends would be silence for ever
            log.warning("run %s: a beat was not written: %s", self._run_id, type(error).__name__)
            return True  # silence is judged by the sweeper, not by a database that is away
