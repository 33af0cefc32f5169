"""`nerloop admin`: people who may log in to the admin pages, and their tokens for scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.printing import print_json, print_table
from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    chosen_project,
    open_registry,
)
from model.errors import NerLoopError

app = typer.Typer(no_args_is_help=True)
token_app = typer.Typer(no_args_is_help=True)
app.add_typer(token_app, name="token", help="Tokens for scripts; each acts as its person.")

NameArgument = Annotated[str, typer.Argument(help="The person's name, as the audit shows it.")]
FileOption = Annotated[
    Path | None, typer.Option("--password-file", help="File that holds the password.")
]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


class NoPasswordError(NerLoopError):
    """A password is needed; it is never an argument, since others can read those."""


@app.command("add")
def add(
    name: NameArgument,
    role: Annotated[str, typer.Option("--role", help="viewer looks, admin decides.")],
    project: Annotated[
        int | None,
        typer.Option("--project", "-p", help="The only project to see; default: all of them."),
    ] = None,
    password_file: FileOption = None,
    password_stdin: StdinOption = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Add somebody who may log in; the password is asked for."""
    from model.registry import passwords, people

    with open_registry(home) as database:
        password = passwords.sealed(password_given(password_file, password_stdin))
        database.upgrade()
        with database.begin() as session:
            only = None if project is None else chosen_project(session, project).id
            person = people.add(session, name, password, role=role, project_id=only)
    where = "all projects" if person.project is None else f"project {person.project}"
    typer.echo(f"{person.name} is {person.role} of {where} now.")


@app.command("list")
def list_people(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """List everybody who was ever added."""
    from model.registry import people

    with open_registry(home) as database, database.read() as session:
        found = people.every(session)
    if as_json:
        print_json(found)
        return
    print_table(
        ("name", "role", "project", "added", "disabled"),
        [
            (
                person.name,
                person.role,
                "all" if person.project is None else person.project,
                person.created_at,
                person.disabled_at,
            )
            for person in found
        ],
    )


@app.command("password")
def password(
    name: NameArgument,
    password_file: FileOption = None,
    password_stdin: StdinOption = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Give somebody a new password; browsers logged in with the old one are logged out."""
    from model.registry import passwords, people

    with open_registry(home) as database:
        with database.read() as session:
            people.by_name(session, name)
        new = passwords.sealed(password_given(password_file, password_stdin))
        with database.begin() as session:
            person = people.set_password(session, name, new)
    typer.echo(f"{person.name} has a new password.")


@app.command("disable")
def disable(name: NameArgument, home: HomeOption = DEFAULT_HOME) -> None:
    """Let somebody in no more; sessions end at once, tokens no longer work."""
    from model.registry import people
    from model.registry.base import utc_now

    with open_registry(home) as database, database.begin() as session:
        person = people.disable(session, name, now=utc_now())
    typer.echo(f"{person.name} is disabled; the audit keeps the name.")


@app.command("enable")
def enable(name: NameArgument, home: HomeOption = DEFAULT_HOME) -> None:
    """Let a disabled person in again."""
    from model.registry import people

    with open_registry(home) as database, database.begin() as session:
        person = people.enable(session, name)
    typer.echo(f"{person.name} may log in again.")


@token_app.command("add")
def add_token(
    person: NameArgument,
    label: Annotated[str, typer.Option("--name", help="What the token is for.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Make a token; it is shown once and kept nowhere."""
    from model.registry import credentials
    from model.registry.base import utc_now

    with open_registry(home) as database, database.begin() as session:
        made = credentials.add_token(session, person, label, now=utc_now())
    typer.echo(f"Token {made.id}; it is shown this once:", err=True)
    typer.echo(made.value)


@token_app.command("list")
def list_tokens(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """List all tokens, without their values."""
    from model.registry import credentials

    with open_registry(home) as database, database.read() as session:
        found = credentials.tokens(session)
    if as_json:
        print_json(found)
        return
    print_table(
        ("token", "person", "name", "made", "last used", "revoked"),
        [
            (token.id, token.person, token.name, token.created_at, token.used_at, token.revoked_at)
            for token in found
        ],
    )


@token_app.command("revoke")
def revoke_token(
    token: Annotated[int, typer.Argument(help="Its number in `nerloop admin token list`.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Make a token worthless."""
    from model.registry import credentials
    from model.registry.base import utc_now

    with open_registry(home) as database, database.begin() as session:
        credentials.revoke_token(session, token, now=utc_now())
    typer.echo(f"Token {token} is revoked.")


def password_given(file: Path | None, from_stdin: bool) -> str:
    """The password: from a file, else standard input, else asked for twice on a terminal.

    Raises:
        NoPasswordError: If it cannot be read, is empty, or there is nobody to ask.
    """
    if file is not None and from_stdin:
        raise NoPasswordError("Say either --password-file or --password-stdin, not both.")
    if file is not None:
        try:
            given = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NoPasswordError(f"The password file {file} cannot be read.") from error
    elif from_stdin:
        try:
            given = sys.stdin.readline()
        except UnicodeDecodeError as error:
            raise NoPasswordError("The password on standard input is not UTF-8.") from error
    elif sys.stdin.isatty():
        given = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        raise NoPasswordError(
            "A password is needed. Run this on a terminal, or name a file with --password-file, or "
            "give it with --password-stdin; it is never an argument, since every user of the "
            "machine can read those."
        )
    given = given.strip("\r\n")
    if not given:
        raise NoPasswordError("The password is empty; choose one of at least 12 characters.")
    return given
