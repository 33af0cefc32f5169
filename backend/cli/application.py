"""Puts the commands together; what they need is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.cli import (
    admin_commands,
    base_commands,
    bench_commands,
    connection_commands,
    decision_commands,
    demo_commands,
    policy_commands,
    run_commands,
    start_commands,
    versions_app,
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
    app.command("demo-annotate")(demo_commands.demo_annotate)
    app.command("prepare")(start_commands.prepare)
    app.command("connect")(connection_commands.connect)
    app.command("disconnect")(connection_commands.disconnect)
    app.command("train")(run_commands.train)
    app.add_typer(run_commands.app, name="runs")
    app.add_typer(versions_app.app, name="versions")
    app.command("promote")(decision_commands.promote)
    app.command("rollback")(decision_commands.rollback)
    app.command("policy")(policy_commands.policy)
    app.command("pause")(policy_commands.pause)
    app.command("resume")(policy_commands.resume)
    app.command("audit")(policy_commands.audit)
    app.add_typer(admin_commands.app, name="admin", help="People of the admin pages, and tokens.")
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
