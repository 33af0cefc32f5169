"""`nerloop train` and `nerloop runs`: ask for a training run and see what became of them."""

from __future__ import annotations

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


def runs(
    project: ProjectOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """List the training runs of a project, newest first."""
    from model.registry import runs as training_runs

    with open_registry(home) as database, database.read() as session:
        found = training_runs.recent(session, chosen_project(session, project).id, limit)
    if as_json:
        print_json([{name: getattr(run, name) for name in RUN_FIELDS} for run in found])
        return
    print_table(
        ("run", "state", "step", "why", "asked", "ended", "outcome"),
        [
            (
                run.id,
                run.state,
                f"{run.step}/{run.steps}" if run.steps else "-",
                run.reason,
                run.requested_at,
                run.ended_at,
                run.outcome or run.failure_reason or "-",
            )
            for run in found
        ],
    )
