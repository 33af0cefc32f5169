"""`nerloop train` and `nerloop runs`: ask for a training run, follow it, see what became of it."""

from __future__ import annotations

from pathlib import Path
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
from backend.pages.formatting import duration

app = typer.Typer()

LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")]
RUN_FIELDS = (
    "id",
    "method",
    "state",
    "reason",
    "step",
    "steps",
    "loss",
    "attempt",
    "seed",
    "outcome",
    "failure_kind",
    "failure_reason",
    "requested_at",
    "started_at",
    "ended_at",
)
LINE_FIELDS = ("at", "attempt", "step", "loss", "words")


def train(project: ProjectOption = None, home: HomeOption = DEFAULT_HOME) -> None:
    """Ask for a training run now, whatever the number of new annotations."""
    from model.registry import inbox

    with open_registry(home) as database, database.begin() as session:
        chosen = chosen_project(session, project)
        inbox.ask_training(session, chosen.id)
    typer.echo(
        f"Asked for a training run of project {chosen.ls_id}; it starts within a few seconds if "
        "nerloop is running. `nerloop runs` shows it."
    )


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    project: ProjectOption = None,
    limit: LimitOption = 20,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """List the training runs of a project, newest first, or show one."""
    if context.invoked_subcommand is None:
        _list(project, limit, home, as_json)


@app.command("list")
def list_runs(
    project: ProjectOption = None,
    limit: LimitOption = 20,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """List the training runs of a project, newest first."""
    _list(project, limit, home, as_json)


@app.command("show")
def show_run(
    number: Annotated[int, typer.Argument(help="The run's number.", min=1, max=2**31 - 1)],
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show one training run with its log, and how long it still takes."""
    from model.registry import run_log

    with open_registry(home) as database, database.read() as session:
        row = chosen_project(session, project)
        run = run_log.of_project(session, row.id, number)
        log = run_log.lines(session, run.id)
        made = run_log.version_of(session, run.id)
        left = run_log.seconds_left(run, log)
    facts = {name: getattr(run, name) for name in RUN_FIELDS}
    facts["version"] = made.number if made else None
    if as_json:
        lines = [{name: getattr(line, name) for name in LINE_FIELDS} for line in log]
        print_json(facts | {"seconds_left": left, "lines": lines})
        return
    known = [(name.replace("_", " "), value) for name, value in facts.items() if value is not None]
    print_table(("run", str(run.id)), [item for item in known if item[0] != "id"])
    if left is not None:
        typer.echo(f"About {duration(left)} still to go.")
    typer.echo()
    print_table(
        ("when", "attempt", "step", "loss", "what"),
        [(line.at, line.attempt, line.step, line.loss, line.words or "") for line in log],
    )


def _list(project: int | None, limit: int, home: Path, as_json: bool) -> None:
    from model.registry import runs as training_runs

    with open_registry(home) as database, database.read() as session:
        found = training_runs.recent(session, chosen_project(session, project).id, limit)
    if as_json:
        print_json([{name: getattr(run, name) for name in RUN_FIELDS} for run in found])
        return
    print_table(
        ("run", "method", "state", "step", "loss", "why", "asked", "ended", "outcome"),
        [
            (
                run.id,
                run.method,
                run.state,
                f"{run.step}/{run.steps}" if run.steps else "-",
                run.loss,
                run.reason,
                run.requested_at,
                run.ended_at,
                run.outcome or run.failure_reason or "-",
            )
            for run in found
        ],
    )
