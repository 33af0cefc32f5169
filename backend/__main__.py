"""``python -m backend``: serve the ML API and the admin API."""

from __future__ import annotations

import ipaddress
import logging
import os
import sys

import uvicorn

from backend import logs
from backend.app import create_app
from backend.settings import Settings
from model.errors import NerLoopError

log = logging.getLogger("backend")


def main() -> int:
    """Serve until a signal ends it; the exit status is 0, or 2 if a setting is wrong."""
    try:
        settings = Settings.from_environ(os.environ)
        logs.set_up(settings.log_level)
        app = create_app(settings)
    except NerLoopError as error:
        print(f"nerloop backend: {error}", file=sys.stderr)
        return 2
    if settings.basic_auth is None and not _is_loopback(settings.host):
        log.warning(
            "Anybody who reaches %s:%d can use the ML API. Set BASIC_AUTH_USER and "
            "BASIC_AUTH_PASS.",
            settings.host,
            settings.port,
        )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
