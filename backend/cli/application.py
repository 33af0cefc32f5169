"""Puts the commands together; what they need is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.cli import (
    base_commands,
    bench_commands,
    connection_commands,
    run_commands,
    start_commands,
    version_commands,
)


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="nerloop",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Few-shot entity recognition that learns while people label in Label Studio.",
    )
    app.callback()(_options)
    app.command("up")(start_commands.up)
    app.command("demo")(start_commands.demo)
    app.command("prepare")(start_commands.prepare)
    app.command("connect")(connection_commands.connect)
    app.command("disconnect")(connection_commands.disconnect)
    app.command("train")(run_commands.train)
    app.command("runs")(run_commands.runs)
    app.add_typer(version_commands.app, name="versions")
    app.command("promote")(version_commands.promote)
    app.command("rollback")(version_commands.rollback)
    app.add_typer(base_commands.app, name="base", help="Base models: list, fetch, verify, train.")
    app.add_typer(bench_commands.app, name="bench", help="Measure a method on labelled files.")
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("nerloop"))
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print nerloop's version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    del version
