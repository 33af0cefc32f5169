"""`nerloop bench methods`: every method on every data set, measured, compared and written up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.bench_study import (
    DataOption,
    EncoderOption,
    IsolatedOption,
    SourcesOption,
    measure_cells,
)
from backend.cli.printing import print_table
from backend.cli.registry_access import DEFAULT_HOME, HomeOption
from model.base.catalogue import DEFAULT_BASE

if TYPE_CHECKING:
    from backend.studies.arms import Arm
    from backend.studies.study import Setting
    from backend.studies.tasks import Task


def methods(
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("methods"),
    data: DataOption = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="This system alone; may be given again.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="This column alone; may be given again.")
    ] = None,
    sources: SourcesOption = Path("sources"),
    take: Annotated[
        list[Path] | None,
        typer.Option(
            "--take", help="Take over a measurement made before, and make none; may be given again."
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Measure nothing: say how long it would take.")
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option("--page", help="Measure nothing: write page and JSON into this folder."),
    ] = None,
    supports: Annotated[
        int | None,
        typer.Option("--supports", help="Fewer support sets or episodes, to try it out.", min=1),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Score fewer sentences, to try it out.", min=1)
    ] = None,
    base: Annotated[
        str, typer.Option("--base", help="Name or folder of the language model.")
    ] = DEFAULT_BASE,
    encoder: EncoderOption = "minilm-l6",
    threads: Annotated[
        int, typer.Option("--threads", help="CPU threads; one for all rows.", min=1)
    ] = 1,
    home: HomeOption = DEFAULT_HOME,
    draws: Annotated[int, typer.Option("--draws", help="Bootstrap draws.", min=100)] = 10_000,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure again what was measured before.")
    ] = False,
    isolated: IsolatedOption = True,
) -> None:
    """Measure the cells of the comparison that are missing; Ctrl-C stops, the same command goes on.

    Names of systems and columns: `--plan` shows them.
    """
    from backend.studies.methods_table import TABLE
    from backend.studies.study import Setting
    from backend.studies.taking import take as taken

    setting = Setting(
        data=data or Path(),
        out=out,
        home=home,
        base=base,
        encoder=encoder,
        sources=sources,
        supports=supports,
        limit=limit,
        threads=threads,
    )
    cells = TABLE.cells(arms=tuple(only or ()), tasks=tuple(column or ()))
    for path in take or ():
        typer.echo(f"{path} is taken as {taken(path, cells, setting, fresh=fresh)}")
    if page is not None:
        _write(setting, page, draws)
    elif plan:
        _plan(cells, setting, fresh)
    elif not take:
        measure_cells(TABLE.name, cells, setting, fresh=fresh, isolated=isolated)


def _plan(cells: Sequence[tuple[Task, Arm]], setting: Setting, fresh: bool) -> None:
    from backend.studies.estimate import expected_each
    from backend.studies.sources import missing_sources

    ahead = expected_each(cells, setting, fresh=fresh)
    minutes = {
        (task.name, arm.name): own.minutes for (task, arm), own in zip(cells, ahead, strict=True)
    }
    columns = list(dict.fromkeys(task.name for task, _ in cells))
    systems = list(dict.fromkeys(arm.name for _, arm in cells))
    for column in columns:
        own = [(name, minutes[column, name]) for name in systems if (column, name) in minutes]
        shown = ", ".join(f"{name} {value:.1f}" for name, value in own)
        typer.echo(f"{column}: {sum(value for _, value in own):.0f} minutes ({shown})")
    print_table(
        ("system", "minutes"),
        [
            (name, f"{sum(minutes.get((column, name), 0.0) for column in columns):.0f}")
            for name in systems
        ],
    )
    runs = sum(own.runs for own in ahead)
    typer.echo(f"{runs} runs to make, about {sum(minutes.values()):.0f} minutes on one core")
    for command in missing_sources([arm for _, arm in cells], setting):
        typer.echo(f"missing: {command}")


def _write(setting: Setting, page: Path, draws: int) -> None:
    from backend.studies.estimate import expected
    from backend.studies.methods_page import write_methods_page
    from backend.studies.methods_results import methods_results
    from backend.studies.methods_table import COLUMNS, TABLE

    results = methods_results(TABLE, COLUMNS, setting, draws=draws)
    if setting.data.joinpath(TABLE.tasks[0].test).exists():
        ahead = expected(TABLE.cells(), setting)
        results["minutes_missing"] = max(1, round(ahead.minutes)) if ahead.runs else 0
    typer.echo(f"wrote {write_methods_page(page, results)}")
