"""`nerloop connect` and `disconnect`: tie a Label Studio project to this backend, or let it go."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    ProjectOption,
    chosen_project,
    open_registry,
    settings_of,
)
from model.errors import NerLoopError

if TYPE_CHECKING:
    from backend.settings import Settings

TOKEN_VARIABLES = ("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_ACCESS_TOKEN")


class NoTokenError(NerLoopError):
    """A Label Studio token is needed; it is never an argument, since others can read those."""


def token_given(token_file: Path | None) -> str:
    """Label Studio's token: from a file, else the environment, else asked for on a terminal.

    Raises:
        NoTokenError: If the file cannot be read, or there is no token anywhere.
    """
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NoTokenError(f"The token file {token_file} cannot be read.") from error
        if not token:
            raise NoTokenError(f"The token file {token_file} is empty.")
        return token
    for name in TOKEN_VARIABLES:
        if os.environ.get(name, "").strip():
            return os.environ[name].strip()
    if sys.stdin.isatty():
        return str(typer.prompt("Label Studio token", hide_input=True)).strip()
    raise NoTokenError(
        "A Label Studio token is needed (Account & Settings > Personal Access Token). Put it into "
        "a file and name that with --token-file, or set LABEL_STUDIO_API_KEY; it is never an "
        "argument, since every user of the machine can read those."
    )


def backend_url_of(settings: Settings, given: str) -> str:
    """The address under which Label Studio reaches this backend."""
    return given.rstrip("/") or f"http://127.0.0.1:{settings.port}"


def connect(
    project: Annotated[int, typer.Option("--project", "-p", help="Project number there.")],
    url: Annotated[str, typer.Option("--url", help="Label Studio's address.")] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File that holds a Label Studio token.")
    ] = None,
    backend_url: Annotated[
        str,
        typer.Option(
            "--backend-url",
            help="nerloop's address as Label Studio sees it; default: this machine's.",
        ),
    ] = "",
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="What it trains with: cllmfs, a language model, or label_aware, an encoder that "
            "trains in seconds; default: as before, else NERLOOP_METHOD.",
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Connect a Label Studio project; doing it again repairs what is missing."""
    from backend.enrolment import Enrolment
    from backend.labelstudio import connect as connecting
    from backend.labelstudio.tokens import Connection
    from backend.secret_values import Secret
    from model.registry.artifacts import ArtifactStore

    settings = settings_of(home)
    address = url.rstrip("/") or settings.label_studio_url
    with open_registry(home) as database:
        enrolment = Enrolment(database, ArtifactStore(settings.artifacts), settings)
        made = connecting.connect(
            Connection(address, Secret(token_given(token_file))),
            project,
            backend_url=backend_url_of(settings, backend_url),
            settings=settings,
            database=database,
            enrolment=enrolment,
            method=method,
        )
    for warning in made.warnings:
        typer.echo(warning, err=True)
    typer.echo(
        f'Connected project {project}, "{made.title}" (tasks: {made.tasks}, method: {made.method})'
        ". Suggestions appear when a task is opened; a new version is trained after about five "
        "corrections."
    )


def disconnect(
    project: ProjectOption = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Only on this side, for a Label Studio that is gone.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Take nerloop out of a project; annotations and adapter versions stay."""
    from backend.labelstudio import connect as connecting
    from backend.labelstudio.tokens import forget_connection, load_connection
    from model.registry import projects

    settings = settings_of(home)
    with open_registry(home) as database:
        with database.read() as session:
            chosen = chosen_project(session, project)
        if forget:
            with database.begin() as session:
                projects.set_connected(session, chosen.id, None)
            forget_connection(settings.secrets, chosen.id)
        else:
            connecting.disconnect(
                load_connection(settings.secrets, chosen.id),
                chosen.ls_id,
                backend_url=None,
                settings=settings,
                database=database,
            )
    typer.echo(f"Project {chosen.ls_id} is disconnected; its versions are kept.")
