"""Progress of a start: a spinner on a terminal, plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

PLAIN_SECONDS = 5.0
SHOWN_SECONDS = 1.0

Detail = Callable[[str], None]


class Steps:
    """Says what is being done, for how long, and what came of it.

    Args:
        console: Where to write; a terminal gets a spinner, anything else gets lines.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Print one line as it is."""
        self._console.print(escape(line), highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Detail]:
        """Show a step while it runs; the value given changes the detail shown beside it."""
        begun = time.monotonic()
        shown = self._spinner if self._console.is_terminal else self._lines
        with shown(title, begun) as detail:
            yield detail
        took = time.monotonic() - begun
        seconds = f" ({took:.1f} s)" if took >= SHOWN_SECONDS else ""
        pretty = self._console.is_terminal and self._console.encoding.startswith("utf")
        self.say(f"{'✓' if pretty else 'done:'} {title}{seconds}")

    @contextmanager
    def _spinner(self, title: str, begun: float) -> Iterator[Detail]:
        state = [""]
        with self._console.status(escape(title)) as status:
            stop = _ticking(1.0, lambda: _show(status, title, state[0], begun))
            try:
                yield lambda text: state.__setitem__(0, text)
            finally:
                stop()

    @contextmanager
    def _lines(self, title: str, begun: float) -> Iterator[Detail]:
        state = [""]

        def tick() -> None:
            what = f": {state[0]}" if state[0] else ""
            self.say(f"  ... {title}{what} ({time.monotonic() - begun:.0f} s)")

        self.say(f"{title} ...")
        stop = _ticking(PLAIN_SECONDS, tick)
        try:
            yield lambda text: state.__setitem__(0, text)
        finally:
            stop()


def _show(status: Status, title: str, detail: str, begun: float) -> None:
    what = f": {detail}" if detail else ""
    status.update(f"{escape(title + what)} ({time.monotonic() - begun:.0f} s)")


def _ticking(seconds: float, tick: Callable[[], None]) -> Callable[[], None]:
    done = threading.Event()

    def loop() -> None:
        while not done.wait(seconds):
            tick()

    thread = threading.Thread(target=loop, name="progress", daemon=True)
    thread.start()

    def stop() -> None:
        done.set()
        thread.join(timeout=5)

    return stop
