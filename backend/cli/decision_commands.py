"""`nerloop promote`, `rollback` and the marks of versions: decisions that need a reason."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.printing import print_json
from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ProjectOption,
    chosen_project,
    open_registry,
    settings_of,
)
from backend.cli.version_commands import NumberArgument
from model.errors import NerLoopError

if TYPE_CHECKING:
    from model.registry.aliases import AliasMove

ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", help="Why; kept in the audit.", show_default=False)
]
DryOption = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and say what would happen; no more.")
]


def _request_id(given: str | None) -> str | None:
    """What the admin API takes for one, checked before anything is opened."""
    from pydantic import TypeAdapter, ValidationError

    from backend.routes.admin_requests import RequestId

    try:
        return given if given is None else TypeAdapter(RequestId).validate_python(given)
    except ValidationError as error:
        raise RequestIdError from error


RequestOption = Annotated[
    str | None,
    typer.Option(
        "--request-id",
        callback=_request_id,
        help="Makes the command safe to repeat: it counts once.",
    ),
]
RevisionOption = Annotated[
    int | None,
    typer.Option(
        "--expected-revision",
        min=0,
        max=2**31 - 1,
        help="Refuse if `served` was moved since this revision; `audit --json` shows it.",
    ),
]


class NoReasonError(NerLoopError):
    """Say why with --reason TEXT: the reason is kept in the audit."""


class UnusableReasonError(NerLoopError):
    """A reason has at most 2000 characters, all of them printable, line ends or tabs."""


class RequestIdError(NerLoopError):
    """A --request-id has 1 to 100 characters: letters A to Z, digits, and the signs _ . : -"""


def promote(
    number: NumberArgument,
    reason: ReasonOption = "",
    dry_run: DryOption = False,
    request_id: RequestOption = None,
    expected_revision: RevisionOption = None,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Serve this version from now on; its predictions are pushed to Label Studio."""
    from model.registry import aliases

    why = reason_given(reason)
    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        shown = chosen.ls_id
        move = aliases.promote(
            session,
            chosen.id,
            number,
            actor=actor(),
            reason=why,
            expected_revision=expected_revision,
            request_id=request_id,
            dry_run=dry_run,
        )
    _tell_move(shown, move, "served", dry_run=dry_run, as_json=as_json)


def rollback(
    to: Annotated[
        int | None,
        typer.Option(
            "--to", min=0, max=2**31 - 1, help="The version to serve; default: the one before."
        ),
    ] = None,
    reason: ReasonOption = "",
    dry_run: DryOption = False,
    request_id: RequestOption = None,
    expected_revision: RevisionOption = None,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Serve an earlier version again; by default the one served before."""
    from model.registry import aliases

    why = reason_given(reason)
    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        shown = chosen.ls_id
        move = aliases.roll_back(
            session,
            chosen.id,
            to=to,
            actor=actor(),
            reason=why,
            expected_revision=expected_revision,
            request_id=request_id,
            dry_run=dry_run,
        )
    _tell_move(shown, move, "served again", dry_run=dry_run, as_json=as_json)


def pin(
    number: NumberArgument,
    reason: ReasonOption = "",
    dry_run: DryOption = False,
    request_id: RequestOption = None,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Keep a version's files, whatever comes after it."""
    _pin(number, True, reason, dry_run, request_id, project, home)


def unpin(
    number: NumberArgument,
    reason: ReasonOption = "",
    dry_run: DryOption = False,
    request_id: RequestOption = None,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Let a version's files age again."""
    _pin(number, False, reason, dry_run, request_id, project, home)


def archive(
    number: NumberArgument,
    reason: ReasonOption = "",
    dry_run: DryOption = False,
    request_id: RequestOption = None,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Put a version out of the way; it can still be promoted."""
    from model.registry import marks

    why = reason_given(reason)
    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        marks.archive(
            session,
            chosen.id,
            number,
            actor=actor(),
            reason=why,
            request_id=request_id,
            dry_run=dry_run,
        )
    _tell_mark(number, "archived", dry_run)


def _pin(
    number: int,
    pinned: bool,
    reason: str,
    dry_run: bool,
    request_id: str | None,
    project: int | None,
    home: Path,
) -> None:
    from model.registry import marks
    from model.registry.artifacts import ArtifactStore

    why = reason_given(reason)
    store = ArtifactStore(settings_of(home).artifacts)
    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        marks.pin(
            session,
            chosen.id,
            number,
            pinned,
            actor=actor(),
            reason=why,
            request_id=request_id,
            dry_run=dry_run,
            store=store,
        )
    _tell_mark(number, "pinned" if pinned else "no longer pinned", dry_run)


def _tell_mark(number: int, words: str, dry_run: bool) -> None:
    if dry_run:
        typer.echo(f"Version {number} would be {words}; nothing was changed.")
    else:
        typer.echo(f"Version {number} is {words} now.")


def _tell_move(ls_id: int, move: AliasMove, words: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        told = {"project": ls_id, "from": move.from_number, "to": move.to_number}
        more = {"verdict": move.verdict, "override": move.override, "dry_run": dry_run}
        print_json(told | {"revision": move.revision} | more)
        return
    if move.override:
        typer.echo(f"The gate had said {move.verdict}; this is kept as an override.")
    name = f"Version {ls_id}.{move.to_number}"
    if dry_run:
        typer.echo(f"{name} would be {words} (now {move.from_number}); nothing was changed.")
    else:
        typer.echo(f"{name} is {words}{'' if words.endswith('again') else ' now'}.")


def reason_given(reason: str) -> str:
    """The reason from the command line, else asked for on a terminal.

    Raises:
        NoReasonError: If there is none and nobody to ask.
        UnusableReasonError: If the admin API would not take it either.
    """
    from pydantic import TypeAdapter, ValidationError

    from backend.routes.admin_requests import Text

    if not reason.strip() and sys.stdin.isatty():
        reason = str(typer.prompt("Why"))
    if not reason.strip():
        raise NoReasonError
    try:
        return TypeAdapter(Text).validate_python(reason.strip())
    except ValidationError as error:
        raise UnusableReasonError from error


def actor() -> str:
    """Who is acting, for the audit."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a container's user need not have a name
        return "command line"
