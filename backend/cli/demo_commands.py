"""`nerloop demo-annotate`: bring the demo past the point from which the gate can decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    ProjectOption,
    open_registry,
    settings_of,
)

if TYPE_CHECKING:
    from backend.demo.annotating import Done

LEARNT = 24
TOLD_EVERY = 25


def demo_annotate(
    texts: Annotated[
        int | None,
        typer.Option(
            "--texts", min=1, help=f"At most so many; default: all held-out ones, {LEARNT} of all."
        ),
    ] = None,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out/--all",
            help="Only the blind texts the gate judges by, or texts as the queue asks for them.",
        ),
    ] = True,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Annotate texts of the running demo as its guideline says, so that the gate can decide.

    Submits the gold spans that ship with the demo to its Label Studio, with the stored token, as
    a person would who presses Submit. It works on the demo's own project and on no other.
    """
    from backend.demo import annotating
    from backend.labelstudio.client import LabelStudioClient
    from backend.labelstudio.tokens import load_connection

    most = texts if texts is not None or held_out else LEARNT
    settings = settings_of(home)
    with open_registry(home) as database:
        with database.read() as session:
            chosen = annotating.demo_project(session, project)
        connection = load_connection(settings.secrets, chosen.id)
        with LabelStudioClient(connection.url, connection.token) as client:
            done = annotating.annotate(
                client, database, chosen, most=most, held_out_only=held_out, on_text=_tell
            )
    typer.echo(told(done))


def told(done: Done) -> str:
    """What was annotated, and how far the gate is from a verdict."""
    from model.loop.gate import FLOOR

    learnt = done.texts - done.held_out
    blind = done.slice
    said = (
        f"Annotated {done.texts} texts with the demo's own gold: {done.held_out} held out, "
        f"{learnt} to learn from. {blind.annotated} of the {blind.texts} held-out texts are "
        f"annotated now; a verdict needs {FLOOR}."
    )
    if blind.texts < FLOOR:
        return f"{said}\nThis demo holds out too few for any: start one anew with --home FOLDER."
    if blind.annotated < FLOOR:
        return f"{said}\nAnnotate more of them: nerloop demo-annotate --held-out"
    if not learnt:
        return (
            f"{said}\nTexts to learn from, so that a version is made: nerloop demo-annotate --all"
        )
    return f"{said}\nA training run follows by itself, and its version is judged on them."


def _tell(done: int) -> None:
    if done % TOLD_EVERY == 0:
        typer.echo(f"{done} texts annotated")
