"""`nerloop bench plot`: measurements as bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.bench_compare import ReportsArgument, named_reports
from model.errors import NerLoopError


class NothingToPlotError(NerLoopError):
    """A file holds no finished run, so there is nothing to draw."""


class EpisodesPlotError(NerLoopError):
    """A file holds episodes: their figure is one micro-F1 over all, not a mean of runs to draw."""


def plot(
    files: ReportsArgument,
    out: Annotated[
        Path, typer.Option("--out", help="Name of the pictures; .png and .svg are added.")
    ],
    title: Annotated[str, typer.Option("--title", help="Stands above the bars.")] = "",
) -> None:
    """Draw one bar per file: mean strict F1, its spread over the runs, and every run."""
    from model.evaluation.episodes import are_episodes
    from model.evaluation.plot import f1_plot

    reports = named_reports(files)
    if not all(report.runs for _, report in reports):
        raise NothingToPlotError
    if any(are_episodes(report.header.protocol) for _, report in reports):
        raise EpisodesPlotError
    out.parent.mkdir(parents=True, exist_ok=True)
    for kind, content in f1_plot(reports, title=title).items():
        target = out.with_name(f"{out.name}.{kind}")
        target.write_bytes(content)
        typer.echo(f"wrote {target}")
