"""``python -m backend.courier``: run the courier until a signal ends it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from threading import Event

from backend import logs
from backend.courier.rounds import Courier
from backend.settings import Settings
from model.errors import NerLoopError
from model.registry.session import Database

log = logging.getLogger("backend.courier")


def main() -> int:
    """Carry messages; the exit status is 0, or 2 if a setting is wrong."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = Settings.from_environ(os.environ)
        logs.set_up(settings.log_level)
        database = Database(settings.database_url.reveal())
        database.upgrade()
    except NerLoopError as error:
        print(f"nerloop courier: {error}", file=sys.stderr)
        return 2
    log.info("ready")
    Courier(settings, database).run(stop)
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
