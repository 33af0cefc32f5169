"""Starting a whole demo by its own command, and waiting for things with a limit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from loop_processes import free_port, until

START_SECONDS = 420.0


@dataclass
class Demo:
    """A running demo: where it listens, and what it has printed so far."""

    home: Path
    url: str
    project: int
    user: str
    password: str
    token: str
    backend: str
    process: subprocess.Popen[str] = field(repr=False)
    lines: list[str] = field(repr=False)

    def api(self, method: str, path: str, **more: Any) -> Any:
        """One call of Label Studio's API, as the demo's user."""
        answer = httpx.request(
            method,
            self.url + path,
            headers={"Authorization": f"Token {self.token}"},
            timeout=120,
            trust_env=False,
            **more,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def cli(self, *arguments: str) -> str:
        """Run a nerloop command on this home; its standard output."""
        program = str(Path(sys.executable).with_name("nerloop"))
        environment = {**os.environ, "NERLOOP_HOME": str(self.home), "COLUMNS": "200"}
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout


def label_studio_env() -> str:
    """The prepared Label Studio environment; without one the test is skipped."""
    named = os.environ.get("LABEL_STUDIO_VENV", "")
    if not named or not (Path(named) / "bin" / "label-studio").exists():
        pytest.skip("no Label Studio environment: run `make ls-env` and set LABEL_STUDIO_VENV")
    return named


def chromium() -> str:
    """The installed Chromium; without one the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium: install Debian's package `chromium`")
    return found


@contextmanager
def running_demo(home: Path) -> Iterator[Demo]:
    """`nerloop demo` on free ports in an empty home; stopped by Ctrl-C at the end."""
    venv = label_studio_env()
    port, backend_port = free_port(), free_port()
    program = str(Path(sys.executable).with_name("nerloop"))
    command = [program, "demo", "--port", str(port), "--backend-port", str(backend_port)]
    process = subprocess.Popen(
        [*command, "--home", str(home)],
        env={**os.environ, "LABEL_STUDIO_VENV": venv},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    lines: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(iter_lines(process)), daemon=True)
    reader.start()
    try:
        ready = until("`ready:`", lambda: ready_line(process, lines), START_SECONDS, pause=0.5)
        secrets = json.loads((home / "secrets" / "services.json").read_text("utf-8"))
        yield Demo(
            home=home,
            url=f"http://127.0.0.1:{port}",
            project=int(ready.split("/projects/")[1].split("/")[0]),
            user=ready.split("user ")[1].split(",")[0],
            password=secrets["label_studio_password"],
            token=secrets["label_studio_token"],
            backend=f"http://127.0.0.1:{backend_port}",
            process=process,
            lines=lines,
        )
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
            reader.join(5)
            process.stdout.close()


def iter_lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """The program's lines as they come; also shown, so that a failed start explains itself."""
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        yield line.rstrip()


def ready_line(process: subprocess.Popen[str], lines: list[str]) -> str | None:
    """The line that says where to click, once it is there."""
    if process.poll() is not None:
        pytest.fail("the demo ended by itself:\n" + "\n".join(lines[-30:]))
    return next((line for line in lines if line.startswith("ready:")), None)
