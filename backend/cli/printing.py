"""Tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

PIPE_WIDTH = 1000


def print_json(value: object) -> None:
    """Print a value as indented JSON; dataclasses become objects, times ISO strings."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(escaped(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe has no width; nothing is folded there
        console = Console(highlight=False, width=PIPE_WIDTH)
    console.print(table)


def escaped(cell: object) -> str:
    """A cell's text; names and reasons come from people and are not markup."""
    from rich.markup import escape

    if cell is None:
        return "-"
    if isinstance(cell, datetime):
        return cell.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, float):
        return f"{cell:.3f}" if cell == 0 or abs(cell) >= 0.01 else f"{cell:.2g}"
    return escape(str(cell))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({item.name: getattr(value, item.name) for item in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return value
