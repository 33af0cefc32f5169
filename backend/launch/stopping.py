"""Signals that end a start, turned into one exception; and silence while things are being ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody pressed Ctrl-C or sent a signal to end nerloop."""


@contextmanager
def signals_stop() -> Iterator[None]:
    """Inside, Ctrl-C, SIGTERM and a closed terminal raise :class:`StopRequested`."""

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise StopRequested(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Inside, an impatient second Ctrl-C changes nothing."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
