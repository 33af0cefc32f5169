"""`nerloop bench`: measure a method on labelled files, compare and draw what was measured."""

from __future__ import annotations

import typer

from backend.cli.bench_compare import compare
from backend.cli.bench_episodes import episodes
from backend.cli.bench_gate import gate
from backend.cli.bench_methods import methods
from backend.cli.bench_plot import plot
from backend.cli.bench_predict import predict
from backend.cli.bench_promotion import promotion
from backend.cli.bench_score import score
from backend.cli.bench_speed import speed
from backend.cli.bench_study import study
from backend.cli.bench_train import train

app = typer.Typer(no_args_is_help=True, help="Measure a method on labelled files.")
app.command("score")(score)
app.command("episodes")(episodes)
app.command("compare")(compare)
app.command("plot")(plot)
app.command("study")(study)
app.command("methods")(methods)
app.command("predict")(predict)
app.command("train")(train)
app.command("speed")(speed)
app.command("gate")(gate)
app.command("promotion")(promotion)


@app.callback()
def bench() -> None:
    """Measure a method on labelled files."""
