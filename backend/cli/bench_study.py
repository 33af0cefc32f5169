"""`nerloop bench study`: arms that differ in one thing, measured, compared and written up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.printing import print_table
from backend.cli.registry_access import DEFAULT_HOME, HomeOption
from model.base.catalogue import DEFAULT_BASE
from model.errors import NerLoopError

if TYPE_CHECKING:
    from backend.studies.arms import Arm
    from backend.studies.study import Extra, Setting, Study
    from backend.studies.tasks import Task

EVERY = "all"
_INTERRUPTED = 130

DataOption = Annotated[
    Path | None, typer.Option("--data", envvar="NERLOOP_DATA", help="Folder of the data sets.")
]
EncoderOption = Annotated[
    str, typer.Option("--encoder", help="Name or folder of the encoder of all other methods.")
]
SourcesOption = Annotated[
    Path,
    typer.Option("--sources", help="Folder of the adapters of source stages, one per method."),
]
IsolatedOption = Annotated[
    bool, typer.Option("--isolated/--together", help="A process for every arm and task, or one.")
]


class UnknownStudyError(NerLoopError):
    """There is no study of that name; `nerloop bench study list` names them."""


def study(
    name: Annotated[str, typer.Argument(help="Name of the study, `all`, or `list`.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the results; studies share it.")
    ] = Path("studies"),
    data: DataOption = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page", help="Measure nothing: write page, JSON and index into this folder."
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Measure nothing: say how long it would take.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="This arm alone; may be given again.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="This task alone; may be given again.")
    ] = None,
    supports: Annotated[
        int | None,
        typer.Option("--supports", help="Support sets or episodes, at most.", min=1),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Score fewer sentences, to try it out.", min=1)
    ] = None,
    base: Annotated[
        str, typer.Option("--base", help="Name or folder of the language model.")
    ] = DEFAULT_BASE,
    encoder: EncoderOption = "minilm-l6",
    source_adapter: Annotated[
        str, typer.Option("--source-adapter", help="Base adapter: `shipped` or a folder.")
    ] = "shipped",
    encoder_adapter: Annotated[
        str, typer.Option("--encoder-adapter", help="That of the label-aware method.")
    ] = "shipped",
    sources: SourcesOption = Path("sources"),
    config: Annotated[
        str, typer.Option("--config", help="Settings of all arms of CLLMFS, as a JSON object.")
    ] = "{}",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads.", min=1)] = None,
    home: HomeOption = DEFAULT_HOME,
    draws: Annotated[int, typer.Option("--draws", help="Bootstrap draws.", min=100)] = 10_000,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure again what was measured before.")
    ] = False,
    isolated: IsolatedOption = True,
) -> None:
    """Measure the arms of a study that are missing; Ctrl-C stops, the same command goes on.

    Quick protocol: three support sets, 300 sentences with seed 1, all labels asked.
    """
    from backend.cli.bench_request import config_object
    from backend.studies.study import Setting

    if name == "list":
        _list()
        return
    setting = Setting(
        data=data or Path(),
        out=out,
        home=home,
        base=base,
        encoder=encoder,
        adapter=source_adapter,
        encoder_adapter=encoder_adapter,
        sources=sources,
        supports=supports,
        limit=limit,
        threads=threads,
        settings=config_object(config),
    )
    for chosen in _studies(name):
        if page is not None:
            _write(chosen, setting, page, draws)
        else:
            _run(chosen, setting, tuple(only or ()), tuple(task or ()), plan, fresh, isolated)


def _studies(name: str) -> list[Study]:
    from backend.studies.definitions import STUDIES

    if name == EVERY:
        return list(STUDIES.values())
    if name not in STUDIES:
        raise UnknownStudyError(f"There is no study {name}. There are: {', '.join(STUDIES)}.")
    return [STUDIES[name]]


def _list() -> None:
    from backend.studies.definitions import STUDIES

    print_table(
        ("study", "arms", "tasks", "question"),
        [(own.name, len(own.arms), len(own.tasks), own.question) for own in STUDIES.values()],
    )


def _run(
    chosen: Study,
    setting: Setting,
    only: tuple[str, ...],
    tasks: tuple[str, ...],
    plan: bool,
    fresh: bool,
    isolated: bool,
) -> None:
    cells = chosen.cells(arms=only, tasks=tasks)
    measure_cells(
        chosen.name, cells, setting, extra=chosen.extra, plan=plan, fresh=fresh, isolated=isolated
    )


def measure_cells(
    name: str,
    cells: Sequence[tuple[Task, Arm]],
    setting: Setting,
    *,
    extra: Extra | None = None,
    plan: bool = False,
    fresh: bool = False,
    isolated: bool = True,
) -> None:
    """Tell how long the missing measurements take, and make them.

    Args:
        name: What is measured.
        cells: Tasks and arms.
        setting: Where and with what.
        extra: What the study wants beside the scores.
        plan: Only tell.
        fresh: Measure again what was measured before.
        isolated: Whether every cell has a process of its own.

    Raises:
        typer.Exit: If it was stopped by Ctrl-C.
        MissingSourceError: If an adapter of a source stage is not there.
        NerLoopError: If a measurement fails; those before it are kept.
    """
    from backend.studies.estimate import expected
    from backend.studies.running import missing_cells, run_cells
    from backend.studies.sources import require_sources

    ahead = expected(cells, setting, fresh=fresh)
    typer.echo(
        f"{name}: {ahead.runs} runs to make, about {ahead.minutes:.0f} minutes "
        f"({ahead.train_seconds / 60:.0f} training, {ahead.predict_seconds / 60:.0f} predicting)"
    )
    if plan:
        return
    require_sources([arm for _, arm in missing_cells(cells, setting, fresh=fresh)], setting)
    try:
        run_cells(cells, setting, told=typer.echo, extra=extra, fresh=fresh, isolated=isolated)
    except KeyboardInterrupt:
        typer.echo("Stopped. What is finished is kept; the same command goes on.", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def _write(chosen: Study, setting: Setting, page: Path, draws: int) -> None:
    from backend.studies.definitions import STUDIES
    from backend.studies.estimate import expected
    from backend.studies.page import write_index, write_page
    from backend.studies.results import study_results

    results = study_results(chosen, setting, draws=draws)
    if setting.data.joinpath(chosen.tasks[0].test).exists():
        ahead = expected(chosen.cells(), setting)
        results["minutes_missing"] = max(1, round(ahead.minutes)) if ahead.runs else 0
    typer.echo(f"wrote {write_page(page, chosen, results)}")
    write_index(page, STUDIES.values())
