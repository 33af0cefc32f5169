"""label-studio-ml's own start command in its own environment, and a Label Studio to drive it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.launch import label_studio
from backend.launch.home import Home
from backend.launch.label_studio_install import Environment
from backend.launch.processes import Supervisor
from backend.launch.secrets import ensure_secrets
from loop_processes import free_port, until

ROOT = Path(__file__).parents[2]


def plugin_environment() -> Path:
    """The environment `make plugin-env` builds; without it the test is skipped."""
    folder = ROOT / ".plugin-venv"
    if not (folder / ".installed").exists():
        pytest.skip("no environment with label-studio-ml: run `make plugin-env`")
    return folder


class LabelStudio:
    """A running Label Studio and its user's token."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Token {token}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call that must succeed."""
        answer = httpx.request(
            method,
            self._url + path,
            json=body,
            headers=self._headers,
            timeout=120,
            trust_env=False,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None


@contextmanager
def running_label_studio(folder: Path, venv: str) -> Iterator[LabelStudio]:
    """Label Studio alone, as the demo starts it."""
    home = Home.at(folder)
    home.prepare()
    secrets, port = ensure_secrets(home), free_port()
    environment = Environment.of(home, {"LABEL_STUDIO_VENV": venv})
    supervisor = Supervisor(folder, print)
    try:
        supervisor.start(label_studio.label_studio_service(home, environment, port, secrets))
        supervisor.wait_until(
            "label-studio",
            lambda: label_studio.label_studio_answers(home, port, secrets.label_studio_token),
            label_studio.START_SECONDS,
        )
        yield LabelStudio(f"http://127.0.0.1:{port}", secrets.label_studio_token)
    finally:
        supervisor.stop()


@contextmanager
def running_plugin(folder: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """`label-studio-ml start backend/plugin`, as its users type it; yields its address."""
    binaries = plugin_environment() / "bin"
    port = free_port()
    command = ["label-studio-ml", "start", "backend/plugin", "--port", str(port), "--check"]
    log = folder / "plugin.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            # `label-studio-ml start` calls plain `python`
            env={**os.environ, **settings, "PATH": f"{binaries}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            executable=str(binaries / "label-studio-ml"),
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until("label-studio-ml's server", lambda: _answers(process, url, log), 90, pause=0.3)
        yield url
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(15)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"label-studio-ml ended by itself: {log.read_text('utf-8', 'replace')[-2000:]}")
    try:
        return httpx.get(f"{url}/health", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
