"""The supervisor: starts programs, starts a crashed one again, ends all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.launch.errors import ServiceError
from backend.launch.services import Service
from backend.launch.warden import Warden, signal_group

STOP_SECONDS = 8.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
LARGEST_LOG = 10_000_000


@dataclass(slots=True)
class _Running:
    service: Service
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    again_at: float | None = None


class Supervisor:
    """Keeps programs running, each in a process group of its own.

    Args:
        folder: Working directory of the warden.
        say: Told one line whenever a program ends or starts again.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._clock = clock
        self._warden = Warden(folder)
        self._running: list[_Running] = []

    def start(self, service: Service) -> None:
        """Start a program and keep it running from now on.

        Raises:
            ServiceError: If the program does not exist.
        """
        self._running.append(_Running(service, self._spawn(service), self._clock()))

    def pids(self) -> dict[str, int]:
        """Process id by name of the programs now running."""
        return {
            entry.service.name: entry.process.pid
            for entry in self._running
            if entry.process.poll() is None
        }

    def wait_until(
        self, name: str, ready: Callable[[], bool], seconds: float, *, poll: float = 0.2
    ) -> None:
        """Wait for a program's sign of life.

        Raises:
            ServiceError: If it ends first, or is not ready in time.
        """
        entry = next(item for item in self._running if item.service.name == name)
        deadline = self._clock() + seconds
        while not ready():
            _require_alive(entry)
            if self._clock() > deadline:
                raise ServiceError(
                    f"{name} was not ready after {seconds:.0f} s. Its log is {entry.service.log}."
                )
            time.sleep(poll)

    def require_all(self) -> None:
        """Make sure that nothing ended since it was started.

        Raises:
            ServiceError: If a program did.
        """
        for entry in self._running:
            _require_alive(entry)

    def look_after(self) -> None:
        """Start again what ended; called every second or so."""
        now = self._clock()
        for entry in self._running:
            if entry.again_at is not None:
                if now >= entry.again_at:
                    self._restart(entry)
            elif entry.process.poll() is not None:
                self._plan_restart(entry, now)

    def stop(self) -> None:
        """End every program; those the others stand on come last. Safe to call twice."""
        for foundation in (False, True):
            self._stop([item for item in self._running if item.service.foundation is foundation])
        self._running.clear()
        self._warden.close()

    def _plan_restart(self, entry: _Running, now: float) -> None:
        self._clear(entry)
        if now - entry.started > STEADY_SECONDS:
            entry.failures = 0
        pause = min(FIRST_PAUSE * 2**entry.failures, LONGEST_PAUSE)
        entry.failures += 1
        entry.again_at = now + pause
        self._say(
            f"{entry.service.name} stopped ({_ending(entry.process.returncode)}) and is started "
            f"again in {pause:.0f} s; its log is {entry.service.log}"
        )

    def _restart(self, entry: _Running) -> None:
        entry.again_at = None
        entry.process = self._spawn(entry.service)
        entry.started = self._clock()
        self._say(f"{entry.service.name} runs again")

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        _make_room(service.log)
        try:
            with service.log.open("ab") as out:
                process = subprocess.Popen(
                    service.command,
                    env=dict(service.environment),
                    cwd=service.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServiceError(
                f"{service.name} cannot be started: {service.command[0]}: {error.strerror}."
            ) from error
        self._warden.watch(process.pid)
        if service.nice:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, process.pid, service.nice)
        return process

    def _stop(self, entries: list[_Running]) -> None:
        for entry in entries:
            signal_group(entry.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for entry in entries:
            with suppress(subprocess.TimeoutExpired):
                entry.process.wait(max(deadline - time.monotonic(), 0.05))
            self._clear(entry)
            with suppress(subprocess.TimeoutExpired):
                entry.process.wait(STOP_SECONDS)

    def _clear(self, entry: _Running) -> None:
        # what a program leaves in its group (a worker's child) must not outlive it
        signal_group(entry.process.pid, signal.SIGKILL)
        self._warden.forget(entry.process.pid)


def _make_room(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_name(log.name + ".1"))


def _require_alive(entry: _Running) -> None:
    if entry.process.poll() is not None:
        raise ServiceError(
            f"{entry.service.name} ended at once ({_ending(entry.process.returncode)})"
            f"{_last_words(entry.service.log)}. Its log is {entry.service.log}."
        )


def _ending(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1].strip()[:200]}" if lines else ""
