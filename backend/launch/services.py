"""One program to keep running, as a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class Service:
    """A program nerloop starts and watches.

    Attributes:
        name: Its name in messages and of its log file.
        command: Program and arguments; never holds a credential.
        environment: Its whole environment.
        folder: Working directory.
        log: File its output is appended to.
        nice: Added to its scheduling priority, 0 to 19; higher yields more.
        foundation: Others need it until they ended, so it is stopped last.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    log: Path
    nice: int = 0
    foundation: bool = False


def bare_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The few variables every program gets; a stray HOST or PORT must not change a server."""
    given = os.environ if source is None else source
    return {name: given[name] for name in KEPT_VARIABLES if name in given}
