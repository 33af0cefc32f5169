"""`nerloop up` and `nerloop demo`: everything on this machine, with one command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.registry_access import DEFAULT_HOME, HomeOption

if TYPE_CHECKING:
    from backend.launch.steps import Steps

BackendPortOption = Annotated[
    int, typer.Option("--backend-port", min=1, max=65535, help="Where nerloop's backend listens.")
]
PortOption = Annotated[
    int, typer.Option("--port", min=1, max=65535, help="Where Label Studio listens.")
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Start everything, say that it is ready, stop again.")
]


def up(
    backend_port: BackendPortOption = 9090,
    home: HomeOption = DEFAULT_HOME,
    check: CheckOption = False,
) -> None:
    """Start nerloop here, for a Label Studio you already have."""
    from backend.launch.home import Home
    from backend.launch.start import StartOptions, run

    run(StartOptions(Home.at(home), backend_port, None, check), _steps())


def demo(
    port: PortOption = 8080,
    backend_port: BackendPortOption = 9090,
    home: HomeOption = DEFAULT_HOME,
    check: CheckOption = False,
) -> None:
    """Start nerloop with a Label Studio of its own and a project to try it on."""
    from backend.launch.home import Home
    from backend.launch.start import StartOptions, run

    run(StartOptions(Home.at(home), backend_port, port, check), _steps())


def prepare(home: HomeOption = DEFAULT_HOME) -> None:
    """Fetch the base model and bring the database up to date, then end; for containers."""
    from backend.cli.registry_access import settings_of
    from backend.launch import preparation
    from backend.launch.home import Home

    Home.at(home).prepare()
    preparation.prepare(settings_of(home), _steps())


def _steps() -> Steps:
    from rich.console import Console

    from backend.launch.steps import Steps

    return Steps(Console(file=sys.stdout, highlight=False))
