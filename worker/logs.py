"""Logging of the worker's processes: one line a record, no bodies, no credentials."""

from __future__ import annotations

import logging


def set_up_logs(level: str) -> None:
    """Log to standard error at a level such as ``INFO``; an unknown one means ``INFO``."""
    number = logging.getLevelNamesMapping().get(level, logging.INFO)
    logging.basicConfig(
        level=number, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for noisy in ("httpx", "httpcore", "urllib3", "rq.worker"):
        logging.getLogger(noisy).setLevel(max(number, logging.WARNING))
