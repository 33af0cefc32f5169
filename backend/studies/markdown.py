"""The pieces that pages with results are made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, a line per row."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows),
    ]


def percent(share: float) -> str:
    """A fraction in percent."""
    return f"{100 * share:.1f}"


def replace_file(path: Path, text: str) -> None:
    """Write a file as a whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
