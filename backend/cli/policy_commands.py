"""`nerloop policy`, `pause`, `resume` and `audit`: how a project is run, and who decided what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.decision_commands import ReasonOption, actor, reason_given
from backend.cli.printing import print_json, print_table
from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ProjectOption,
    chosen_project,
    open_registry,
)

MEANINGS = {
    "manual": "a person promotes; the gate advises",
    "auto": "what the gate says PROMOTE of is served by itself",
    "serve-fast": "versions of the encoder are served at once, those of the LLM by a person",
}

AUDIT_FIELDS = (
    "at",
    "actor",
    "alias",
    "outcome",
    "from_version",
    "to_version",
    "reason",
    "verdict",
    "refusal",
    "revision",
    "request_id",
)


def policy(
    name: Annotated[
        str | None, typer.Argument(help="manual, auto or serve-fast; without: show it.")
    ] = None,
    reason: ReasonOption = "",
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show or set who decides which version is served."""
    from model.registry import switches

    why = reason_given(reason) if name is not None else ""
    with open_registry(home) as database, database.begin() as session:
        row = chosen_project(session, project)
        if name is not None:
            row = switches.set_policy(session, row.id, name, actor=actor(), reason=why)
        shown = {"project": row.ls_id, "policy": row.policy, "paused": row.paused}
    if as_json:
        print_json(shown)
        return
    resting = " Training is paused." if shown["paused"] else ""
    now = str(shown["policy"])
    typer.echo(f"Policy of project {shown['project']}: {now}, {MEANINGS[now]}.{resting}")


def pause(
    reason: ReasonOption = "", project: ProjectOption = None, home: HomeOption = DEFAULT_HOME
) -> None:
    """Let a project train no more until it is resumed."""
    ls_id = _set_paused(True, reason, project, home)
    typer.echo(f"Project {ls_id} trains no more until `nerloop resume`.")


def resume(
    reason: ReasonOption = "", project: ProjectOption = None, home: HomeOption = DEFAULT_HOME
) -> None:
    """Let a project train again."""
    ls_id = _set_paused(False, reason, project, home)
    typer.echo(f"Project {ls_id} trains again.")


def _set_paused(paused: bool, reason: str, project: int | None, home: Path) -> int:
    from model.registry import switches

    why = reason_given(reason)
    with open_registry(home) as database, database.begin() as session:
        row = chosen_project(session, project)
        return switches.set_paused(session, row.id, paused, actor=actor(), reason=why).ls_id


def audit(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """List who decided what, when and why, newest first; refusals too."""
    from model.registry import audit as trail

    with open_registry(home) as database, database.read() as session:
        found = trail.history(session, chosen_project(session, project).id)[:limit]
        overrides = [trail.overrode(line) for line in found]
    if as_json:
        print_json(
            [
                {name: getattr(line, name) for name in AUDIT_FIELDS} | {"override": override}
                for line, override in zip(found, overrides, strict=True)
            ]
        )
        return
    print_table(
        ("when", "who", "what", "from", "to", "outcome", "gate", "why"),
        [
            (
                line.at,
                line.actor,
                line.alias,
                line.from_version,
                line.to_version,
                f"{line.outcome}, override" if override else line.outcome,
                line.verdict,
                f"{line.reason} [{line.refusal}]" if line.refusal else line.reason,
            )
            for line, override in zip(found, overrides, strict=True)
        ],
    )
