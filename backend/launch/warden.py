"""Ends the programs of a start whose supervisor died without being able to end them itself.

It runs as its own process, reads ``+GROUP`` and ``-GROUP`` lines from its standard input, and when
that input closes it ends every process group still on its list.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 6.0


class Warden:
    """The supervisor's end of the line to the warden process."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "backend.launch.warden"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Put a process group on the list."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Take a process group off the list."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the warden; whatever is on its list still is ended too."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS + 2)

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


def remaining(lines: Iterable[str]) -> set[int]:
    """The groups still on the list after all lines."""
    groups: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if number.isdigit() and sign == "+":
            groups.add(int(number))
        elif number.isdigit() and sign == "-":
            groups.discard(int(number))
    return groups


def end_groups(groups: Iterable[int], grace: float = GRACE_SECONDS) -> None:
    """Ask process groups to end, then make them."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = {group for group in left if signal_group(group, 0)}
    for group in left:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False if there is no such group any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Read until the supervisor is gone, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_groups(remaining(sys.stdin))


if __name__ == "__main__":
    main()
