"""`nerloop up` with real processes: started, found in use, stopped, killed, started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from loop_processes import free_port, until
from model.lanes import QUEUES
from model.method import AdapterFiles
from tiny_encoder import write_tiny_encoder

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

READY_SECONDS = 120.0


class Up:
    """A running `nerloop up` and what it has printed."""

    def __init__(self, home: Path, port: int, settings: dict[str, str], *more: str) -> None:
        self.home, self.port, self.lines = home, port, list[str]()
        program = str(Path(sys.executable).with_name("nerloop"))
        self.process = subprocess.Popen(
            [program, "up", "--home", str(home), "--backend-port", str(port), *more],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def wait_ready(self) -> None:
        until("`ready:`", self._is_ready, READY_SECONDS)

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail("it ended by itself:\n" + "\n".join(self.lines))
        return any(line.startswith("ready: ") for line in self.lines)

    def wait(self, seconds: float = 60) -> int:
        code = self.process.wait(seconds)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def settings(tmp_path: Path, tiny_base: Path, tiny_adapter: AdapterFiles) -> dict[str, str]:
    (tmp_path / "adapter").mkdir()
    for name, content in tiny_adapter.items():
        (tmp_path / "adapter" / name).write_bytes(content)
    return {
        "NERLOOP_BASE": str(tiny_base),
        "NERLOOP_BASE_ADAPTER": str(tmp_path / "adapter"),
        "NERLOOP_ENCODER": str(write_tiny_encoder(tmp_path / "encoder")),
        "NERLOOP_THREADS": "1",
        "LOG_LEVEL": "DEBUG",
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }


@contextmanager
def running(home: Path, settings: dict[str, str]) -> Iterator[Up]:
    started = Up(home, free_port(), settings)
    try:
        started.wait_ready()
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
            started.wait()


def processes_of(home: Path) -> dict[int, str]:
    """Every process that was given this home, by its command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            inside = (folder / "cwd").readlink().is_relative_to(home)  # Redis renames itself
        except (OSError, ValueError):
            continue
        if inside or f"NERLOOP_HOME={home}".encode() in environment:
            found[int(folder.name)] = command
    return found


def secrets_of(home: Path) -> list[str]:
    stored = json.loads((home / "secrets" / "services.json").read_text("utf-8"))
    return [value for name, value in stored.items() if name != "auth_user"]


def test_started_used_stopped_and_started_again(tmp_path: Path, settings: dict[str, str]) -> None:
    home = tmp_path / "home"
    with running(home, settings) as first:
        names = " ".join(processes_of(home).values())
        for part in ("-m backend ", "-m backend.courier", "redis-server"):
            assert part in names
        for queue in QUEUES:
            assert f"-m worker --queue {queue}" in names
        for secret in secrets_of(home):
            assert secret not in names
        with httpx.Client(base_url=f"http://127.0.0.1:{first.port}", trust_env=False) as client:
            assert client.get("/health").status_code == httpx.codes.UNAUTHORIZED
            stored = json.loads((home / "secrets" / "services.json").read_text("utf-8"))
            pair = (stored["auth_user"], stored["auth_pass"])
            assert client.get("/health", auth=pair).json()["status"] == "UP"
        # a second one is refused while the first one runs
        second = Up(home, free_port(), settings)
        assert second.wait() == 1
        assert f"process {first.process.pid}" in second.lines[-1]
        first.process.send_signal(signal.SIGINT)
        assert first.wait(30) == 0
    assert processes_of(home) == {}
    for log in (home / "logs").iterdir():
        text = log.read_text("utf-8", "replace")
        assert not [secret for secret in secrets_of(home) if secret in text], log.name
    before = secrets_of(home)
    again = Up(home, first.port, settings, "--check")
    assert again.wait(READY_SECONDS) == 0
    assert any(line.startswith("ready: ") for line in again.lines)
    assert secrets_of(home) == before
    assert processes_of(home) == {}


def test_a_killed_worker_comes_back_and_it_is_said(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    home = tmp_path / "home"
    with running(home, settings) as started:

        def worker() -> int | None:
            found = [
                pid for pid, line in processes_of(home).items() if "-m worker --queue slow" in line
            ]
            return found[0] if found else None

        killed = until("a worker", worker, 10)
        os.kill(killed, signal.SIGKILL)
        until("the news", lambda: "worker stopped (signal SIGKILL)" in "\n".join(started.lines), 20)
        until("a new worker", lambda: worker() not in (None, killed), 20)


def test_nothing_outlives_a_killed_start(tmp_path: Path, settings: dict[str, str]) -> None:
    home = tmp_path / "home"
    with running(home, settings) as started:
        assert len(processes_of(home)) >= 4
        started.process.kill()
        started.wait()
        until("the end of all", lambda: not processes_of(home), 20)
    with running(home, settings):  # and nothing is in the way of the next one
        pass


def test_a_setting_that_cannot_be_used_stops_the_start_with_one_sentence(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    refused = Up(tmp_path / "home", free_port(), {**settings, "NERLOOP_MIN_SHOTS": "many"})
    assert refused.wait() == 1
    assert "NERLOOP_MIN_SHOTS is 'many'" in refused.lines[-1]
    assert not any("Traceback" in line for line in refused.lines)
    assert processes_of(tmp_path / "home") == {}


def test_an_encoder_that_cannot_be_had_is_said_and_the_rest_works(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    missing = str(tmp_path / "nowhere")
    started = Up(
        tmp_path / "home", free_port(), {**settings, "NERLOOP_ENCODER": missing}, "--check"
    )
    assert started.wait(READY_SECONDS) == 0
    told = "\n".join(started.lines)
    assert f"no complete base model in {missing}" in told
    assert "Projects that use the method label_aware cannot work" in told
