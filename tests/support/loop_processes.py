"""Real Redis and worker processes on this machine, and the signals that hurt them."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from backend.launch.embedded_redis import redis_executable

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], seconds: float, pause: float = 0.1) -> T:
    """Look again and again until there is something; fail after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(pause)
    pytest.fail(f"{what} did not happen within {seconds:.0f} s")


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RedisServer:
    """The embedded Redis on loopback, with a password from its own file."""

    def __init__(self, folder: Path) -> None:
        self._port, self._password = free_port(), secrets.token_hex(16)
        self._folder = folder
        folder.mkdir()
        self._config = folder / "redis.conf"
        self._config.write_text(
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\n"
            f"dir {folder}\nsave ''\nappendonly no\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(redis_executable()), str(self._config)], stdout=log, stderr=log
            )
        until("Redis", self._answers, 20)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


class WorkerProcess:
    """`python -m worker` of one queue with its child, in a process group of its own.

    ``base`` is the base model of the methods of that queue.
    """

    def __init__(
        self, home: Path, redis_url: str, base: Path, scale: float, queue: str = "slow"
    ) -> None:
        self._queue = queue
        self._log = home / f"worker-{secrets.token_hex(3)}.log"
        self._environment = os.environ | {
            "NERLOOP_HOME": str(home),
            "REDIS_URL": redis_url,
            "NERLOOP_BASE" if queue == "slow" else "NERLOOP_ENCODER": str(base),
            "NERLOOP_TIME_SCALE": str(scale),
            "NERLOOP_THREADS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker", "--queue", self._queue],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def child(self) -> int | None:
        """Process id of the child that trains; None while there is none."""
        for pid in _children(self.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"spawn_main" in command and b"resource_tracker" not in command:
                return pid
        return None

    def kill_group(self) -> None:
        """SIGKILL for parent and child at once."""
        os.killpg(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def stop(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill_group()


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(item) for item in listed.split()]
