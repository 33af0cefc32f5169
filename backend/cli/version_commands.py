"""`nerloop versions`, `promote` and `rollback`: look at adapter versions and move the alias."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from backend.cli.printing import print_json, print_table
from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ProjectOption,
    chosen_project,
    open_registry,
)
from model.errors import NerLoopError

app = typer.Typer(no_args_is_help=True, help="Look at the adapter versions of a project.")

ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", help="Why; kept in the audit.", show_default=False)
]


class NoReasonError(NerLoopError):
    """Say why with --reason TEXT: the reason is kept in the audit."""


@app.command("list")
def list_versions(
    project: ProjectOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> None:
    """List the adapter versions of a project, newest first."""
    from backend.launch.guidance import command_line
    from backend.launch.home import Home
    from model.registry import versions

    with open_registry(home) as database, database.read() as session:
        found = versions.versions(session, chosen_project(session, project).id)
    if as_json:
        print_json(found)
        return
    print_table(
        ("version", "state", "F1", "held-out texts", "shots", "texts", "method", "made"),
        [
            (
                view.number,
                view.state or "-",
                view.f1,
                view.documents,
                view.shots,
                view.texts,
                view.method,
                view.created_at,
            )
            for view in sorted(found, key=lambda view: view.number, reverse=True)
        ],
    )
    for view in found:
        if view.state == "candidate":
            typer.echo(
                f"\nVersion {view.number} waits for you: "
                f'{command_line(Home.at(home))} promote {view.number} --reason "..."'
            )


@app.command("show")
def show_version(
    number: Annotated[int, typer.Argument(help="The version's number, from 0.")],
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show everything known about one adapter version."""
    from model.registry import versions

    with open_registry(home) as database, database.read() as session:
        view = versions.version(session, chosen_project(session, project).id, number)
    if as_json:
        print_json(view)
        return
    print_table(
        ("version", view.name),
        [
            ("state", view.state or "-"),
            ("method", view.method),
            ("base model", f"{view.base_name} ({view.base_digest[:12]})"),
            ("artifact", view.artifact_digest),
            ("F1 on held-out texts", view.f1),
            ("held-out texts", view.documents),
            ("trained on", f"{view.shots} shots in {view.texts} texts"),
            ("run", view.run_id),
            ("trained because", view.trigger),
            ("seed", view.seed),
            ("made", view.created_at),
            *((f"report: {name}", value) for name, value in sorted(view.report.items())),
            *((f"config: {name}", value) for name, value in sorted(view.config.items())),
        ],
    )


def promote(
    number: Annotated[int, typer.Argument(help="The version to serve.")],
    reason: ReasonOption = "",
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Serve this version from now on; its predictions are pushed to Label Studio."""
    from model.registry import aliases

    why = reason_given(reason)
    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        shown = chosen.ls_id
        move = aliases.promote(session, chosen.id, number, actor=actor(), reason=why)
    typer.echo(f"Version {shown}.{move.to_number} is served now.")


def rollback(
    to: Annotated[
        int | None, typer.Option("--to", help="The version to serve; default: the one before.")
    ] = None,
    reason: ReasonOption = "",
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Serve an earlier version again; by default the one served before."""
    from model.registry import aliases

    why = reason_given(reason)
    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        shown = chosen.ls_id
        move = aliases.roll_back(session, chosen.id, to=to, actor=actor(), reason=why)
    typer.echo(f"Version {shown}.{move.to_number} is served again.")


def reason_given(reason: str) -> str:
    """The reason from the command line, else asked for on a terminal.

    Raises:
        NoReasonError: If there is none and nobody to ask.
    """
    if not reason.strip() and sys.stdin.isatty():
        reason = str(typer.prompt("Why"))
    if not reason.strip():
        raise NoReasonError
    return reason.strip()


def actor() -> str:
    """Who is acting, for the audit."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a container's user need not have a name
        return "command line"
