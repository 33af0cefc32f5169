"""How a command reaches the registry: which home, which database, which project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import NerLoopError

if TYPE_CHECKING:
    from backend.settings import Settings
    from model.registry.session import Database, Session
    from model.registry.tables import Project

HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="NERLOOP_HOME", help="Folder of all state.", show_default=True),
]
ProjectOption = Annotated[
    int | None,
    typer.Option("--project", "-p", help="Project number in Label Studio; default: the only one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEFAULT_HOME = Path(".nerloop")


class NoRegistryError(NerLoopError):
    """There is no nerloop in this home folder yet."""


class WhichProjectError(NerLoopError):
    """Several projects are connected; say which with --project."""


def settings_of(home: Path) -> Settings:
    """The settings a command works with: the environment, with this home.

    Raises:
        SettingsError: If the environment holds something unusable.
    """
    from backend.launch.home import Home
    from backend.launch.product import command_environment
    from backend.settings import Settings

    return Settings.from_environ(command_environment(Home.at(home), os.environ))


@contextmanager
def open_registry(home: Path) -> Iterator[Database]:
    """The database of a home that was started at least once.

    Raises:
        NoRegistryError: If this home has no database yet.
    """
    from model.registry.session import Database

    settings = settings_of(home)
    if not os.environ.get("DATABASE_URL") and not (settings.home / "nerloop.db").exists():
        raise NoRegistryError(
            f"There is no nerloop in {settings.home} yet. Start it with `nerloop up` or `nerloop "
            "demo`, or name its folder with --home FOLDER or NERLOOP_HOME."
        )
    database = Database(settings.database_url.reveal())
    try:
        database.ping()
        yield database
    finally:
        database.close()


def chosen_project(session: Session, number: int | None) -> Project:
    """The project a command is about.

    Args:
        session: An open session.
        number: Its number in Label Studio, or None for the only one there is.

    Raises:
        UnknownProjectError: If that project is not connected.
        WhichProjectError: If there is none at all, or several and none was named.
    """
    from model.registry import projects

    if number is not None:
        return projects.by_label_studio(session, number)
    known = projects.every(session)
    if not known:
        raise WhichProjectError(
            "No project is connected yet. `nerloop connect --url URL --project N` connects one."
        )
    candidates = [project for project in known if project.connected] or known
    # a project made anew under its old number hides the one that is gone
    live = list({(project.url, project.ls_id): project for project in candidates}.values())
    if len(live) > 1:
        listed = ", ".join(f"{project.ls_id} ({project.title})" for project in live)
        raise WhichProjectError(f"Several projects are connected: {listed}. Say --project N.")
    return live[0]
