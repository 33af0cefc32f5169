"""The parent process: the sweeper's thread, one child, and a new child when it is gone."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.process import BaseProcess

from redis import Redis
from redis.exceptions import RedisError

from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from worker import child
from worker.clock import Clock
from worker.doorbell import Doorbell
from worker.settings import WorkerSettings
from worker.sweep import Sweeper

log = logging.getLogger(__name__)

LONGEST_PAUSE = 15.0
GOOD_LIFE = 60.0


class Parent:
    """Supervises the worker of one queue.

    The child is started by spawn, since a fork breaks CUDA; nothing secret is on its command line,
    it reads the environment as this process did.

    Args:
        settings: Read once by the process.
        queue: ``fast`` or ``slow``.
    """

    def __init__(self, settings: WorkerSettings, queue: str) -> None:
        self._queue = queue
        self._redis = Redis.from_url(settings.redis_url, socket_connect_timeout=5)
        clock = Clock.scaled(settings.time_scale)
        self._sweeper = Sweeper(
            Database(settings.database_url),
            Doorbell(self._redis),
            ArtifactStore(settings.artifacts),
            clock,
        )
        self._stop = threading.Event()
        self._child: BaseProcess | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; the child ends with it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        sweeping = threading.Thread(
            target=self._sweeper.run, args=(self._stop,), name="sweeper", daemon=True
        )
        sweeping.start()
        pause = 0.5
        while not self._stop.is_set():
            if not self._redis_answers():
                self._stop.wait(1.0)
                continue
            began = time.monotonic()
            code = self._live_one_child()
            if self._stop.is_set() or code == 0:
                continue
            pause = 0.5 if time.monotonic() - began > GOOD_LIFE else min(pause * 2, LONGEST_PAUSE)
            log.warning("the child ended with %s; a new one starts in %.1f s", code, pause)
            self._stop.wait(pause)
        sweeping.join(timeout=5)

    def _redis_answers(self) -> bool:
        try:
            return bool(self._redis.ping())
        except RedisError as error:
            log.warning("Redis does not answer (%s); waiting", type(error).__name__)
            return False

    def _live_one_child(self) -> int | None:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=child.main, args=(self._queue, os.getpid()), name="child")
        process.start()
        while process.is_alive() and not self._stop.is_set():
            process.join(timeout=0.5)
        if process.is_alive():
            # a running job is not waited for: its row is taken up again, from its snapshot
            process.kill()
        process.join()
        return process.exitcode
