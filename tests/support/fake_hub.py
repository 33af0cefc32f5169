"""A model hub on this machine: the few answers of the real one that a download needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """One repository.

    Attributes:
        repository: Owner and name.
        files: Its files; those ending in ``.safetensors`` are kept as large ones, with SHA-256.
        gated: Whether files are refused to everybody.
        cut_after: For a file the number of bytes after which its first download breaks off.
        stated: For a file another SHA-256 than its own, as if it were damaged on the way.
        served: Names of the files that were downloaded, with the byte they began at.
    """

    repository: str
    files: dict[str, bytes]
    gated: bool = False
    cut_after: dict[str, int] = field(default_factory=dict)
    stated: dict[str, str] = field(default_factory=dict)
    served: list[tuple[str, int]] = field(default_factory=list)

    def listing(self) -> dict[str, Any]:
        """What the hub says about the repository."""
        return {
            "id": self.repository,
            "sha": COMMIT,
            "siblings": [self._sibling(name) for name in sorted(self.files)],
        }

    def sha256(self, name: str) -> str:
        """The SHA-256 that the hub states for a file."""
        return self.stated.get(name, hashlib.sha256(self.files[name]).hexdigest())

    def _sibling(self, name: str) -> dict[str, Any]:
        size = len(self.files[name])
        sibling: dict[str, Any] = {"rfilename": name, "size": size, "blobId": "0" * 40}
        if name.endswith(".safetensors"):
            sibling["lfs"] = {"sha256": self.sha256(name), "size": size, "pointerSize": 100}
        return sibling


@contextmanager
def served(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve a repository and point huggingface_hub at it."""
    import huggingface_hub
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    api = huggingface_hub.HfApi(endpoint=address, token=False)
    monkeypatch.setattr(huggingface_hub, "model_info", api.model_info)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = urlsplit(self.path).path
            if path.startswith(f"/api/models/{hub.repository}/revision/"):
                self._send(200, json.dumps(hub.listing()).encode(), {}, body=body)
                return
            found = re.fullmatch(f"/{hub.repository}/resolve/{COMMIT}/(.+)", path)
            if found is None or found[1] not in hub.files:
                code = "EntryNotFound" if found else "RepoNotFound"
                self._send(404, b"", {"X-Error-Code": code}, body=body)
            elif hub.gated:
                self._send(401, b"", {"X-Error-Code": "GatedRepo"}, body=body)
            else:
                self._file(found[1], body=body)

        def _file(self, name: str, *, body: bool) -> None:
            content = hub.files[name]
            headers = {"ETag": f'"{hub.sha256(name)}"', "X-Repo-Commit": COMMIT}
            headers["Accept-Ranges"] = "bytes"
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(asked[1]) if asked else 0
            if first:
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            if body:
                hub.served.append((name, first))
            self._send(
                206 if first else 200,
                content[first:],
                headers,
                body=body,
                limit=hub.cut_after.pop(name, None) if body else None,
            )

        def _send(
            self,
            status: int,
            content: bytes,
            headers: dict[str, str],
            *,
            body: bool,
            limit: int | None = None,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content if limit is None else content[:limit])
            if limit is not None:
                self.close_connection = True

    return Handler
