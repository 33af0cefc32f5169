"""The options of a speed measurement as they can be typed again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from model.base.catalogue import DEFAULT_BASE

DATA = "$NERLOOP_DATA"
LEAN_LIMIT, THREADS = 20, 2

ThreadsOption = Annotated[int, typer.Option("--threads", help="CPU threads.", min=1)]
BaseOption = Annotated[str, typer.Option("--base", help="Name or folder of the base model.")]
SourceAdapterOption = Annotated[
    str, typer.Option("--source-adapter", help="Adapter: `shipped`, `none` or a folder.")
]
ConfigOption = Annotated[
    str, typer.Option("--config", help="Settings of the method to change, as a JSON object.")
]


def writable(path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before hours of measuring are spent on it.

    Raises:
        typer.BadParameter: If the path is a folder, or its folder is missing or closed to us.
    """
    if path is None:
        return None
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"The folder {path.parent} does not exist; make it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise typer.BadParameter(f"{path} cannot be written: it is closed to this user.")
    return path


JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures here.", callback=writable)
]
RunsJsonOption = Annotated[
    Path | None,
    typer.Option("--json", help="Written after each part, and taken up again.", callback=writable),
]

StartOption = Annotated[
    str,
    typer.Option(
        "--source-adapter",
        help="Adapter to start from: `shipped`, `none` (one that changes nothing) or a folder.",
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", help="labels.json; default: the one beside the test file."),
]
TrainSeedOption = Annotated[int, typer.Option("--train-seed", help="Seeds the training.")]
MostThreadsOption = Annotated[int | None, typer.Option("--threads", help="CPU threads.", min=1)]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Start over where --json holds other runs.")
]

Option = tuple[str, object, object]
"""Name, value and default; None as value leaves it out."""


def told_options(options: Sequence[Option]) -> list[str]:
    """Options that differ from their defaults, each as one piece of a command.

    Paths below ``NERLOOP_DATA`` begin with the name of that variable.

    Args:
        options: Name, value and default of each.
    """
    return [
        f"{name} {_shown(value)}"
        for name, value, default in options
        if value is not None and value != default
    ]


def _shown(value: object) -> str:
    data = os.environ.get("NERLOOP_DATA")
    if isinstance(value, Path) and data:
        path, folder = value.resolve(), Path(data).resolve()
        if path.is_relative_to(folder):
            return f"{DATA}/{shlex.quote(path.relative_to(folder).as_posix())}"
    return shlex.quote(str(value))


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """The options, one attribute each; the command's help says what they mean."""

    test: Path
    labels: Path | None
    limit: int
    first: bool
    baseline_limit: int | None
    lean_limit: int
    threads: int
    base: str
    source_adapter: str
    config: str
    home: Path

    @property
    def told(self) -> list[str]:
        """The options as they can be typed again, those with their default left out."""
        told = told_options(
            [
                ("--test", self.test, None),
                ("--labels", self.labels, None),
                ("--limit", self.limit, None),
                ("--baseline-limit", self.baseline_limit, None),
                ("--lean-limit", self.lean_limit, LEAN_LIMIT),
                ("--threads", self.threads, THREADS),
                ("--base", self.base, DEFAULT_BASE),
                ("--source-adapter", self.source_adapter, "shipped"),
                ("--config", self.config, "{}"),
            ]
        )
        return told if self.first else [*told, "--drawn"]
