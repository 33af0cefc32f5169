"""Real web processes with an engine whose scores tell which adapter's bytes gave them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from backend.app import create_app
from backend.settings import Settings
from capitals_engine import CapitalsEngine
from loop_processes import until
from model.method import AdapterFiles
from model.spans import LabelSet, Prediction


class TellingEngine(CapitalsEngine):
    """Gives each text the score that is written in the adapter's weights file."""

    def __init__(self) -> None:
        super().__init__()
        self._scores: dict[str, float] = {}

    def ensure(self, digest: str, read: Callable[[], AdapterFiles]) -> None:
        def kept() -> AdapterFiles:
            files = read()
            self._scores[digest] = float(files["adapter_model.safetensors"])
            return files

        super().ensure(digest, kept)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        found = super().predict(texts, labels, adapter=adapter)
        return [Prediction(item.spans, self._scores[adapter]) for item in found]


class WebProcess:
    """One web process; several may share a home."""

    def __init__(self, environ: Mapping[str, str], port: int, log: Path) -> None:
        self._environ = {**os.environ, **environ, "PORT": str(port), "HOST": "127.0.0.1"}
        self._log = log
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                env={**self._environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Wait until it answers."""
        until(f"a web process ({self._log})", self._answers, 120)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    def predict(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The items of an answer."""
        answer = self.http.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["results"]
        return items

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return self.http.get("/health").is_success
        except httpx.TransportError:
            return False


def main() -> None:
    """Serve as `python -m backend` does, with the engine above."""
    import uvicorn

    settings = Settings.from_environ(os.environ)
    app = create_app(settings, open_engine=lambda method: TellingEngine())
    uvicorn.run(app, host="127.0.0.1", port=settings.port, log_level="warning")


if __name__ == "__main__":
    main()
