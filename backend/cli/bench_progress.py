"""What `nerloop bench score` shows while it measures, and the figures at its end."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from backend.cli.printing import print_table

if TYPE_CHECKING:
    from backend.cli.bench_request import Prepared
    from model.evaluation.measurement import SupportSet
    from model.evaluation.report import Report
    from model.evaluation.runs import Run
    from model.method import Progress


class BenchProgress:
    """Bars of training steps and of sentences; on no terminal, one line per finished run.

    Args:
        total: Support sets in all.
    """

    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        # without a terminal rich would print an empty line each time a bar ends
        self._visible = console.is_terminal
        self._bars = Bars(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._total = total
        self._task = self._bars.add_task("base model", total=None)
        self._now = ""
        self._done = 0

    def __enter__(self) -> BenchProgress:
        self._show_bars()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hide_bars()

    def on_skip(self, support: SupportSet) -> None:
        """Tell that a run is there already."""
        self._done += 1
        self._say(f"{_name(support.name)}: measured before, skipped")

    def on_step(self, _support: SupportSet, progress: Progress) -> None:
        """Move the bar of the training."""
        self._move(f"{self._done + 1} of {self._total}: training", progress.step, progress.steps)

    def on_texts(self, _support: SupportSet, done: int, total: int) -> None:
        """Move the bar of the sentences."""
        self._move(f"{self._done + 1} of {self._total}: sentences", done, total)

    def on_run(self, run: Run) -> None:
        """Show the figures of a run."""
        self._done += 1
        self._say(
            f"{_name(run.support)}: P {run.precision:.4f}  R {run.recall:.4f}  F1 {run.f1:.4f}  "
            f"IO-F1 {run.io_f1:.4f}  texts {run.texts}  train {run.seconds_train} s  "
            f"predict {run.seconds_predict} s"
        )

    def _move(self, what: str, done: int, total: int) -> None:
        if what != self._now:
            self._bars.reset(self._task, description=what, total=total)
            self._now = what
        self._bars.update(self._task, completed=done, total=total)

    def _say(self, line: str) -> None:
        self._hide_bars()
        typer.echo(line)
        self._show_bars()

    def _show_bars(self) -> None:
        if self._visible:
            self._bars.start()

    def _hide_bars(self) -> None:
        if self._visible:
            self._bars.stop()


def runs_shown(prepared: Prepared, seed: int) -> None:
    """Measure what is prepared, write every finished run, and print the outcome.

    Args:
        prepared: What is measured, and the file it goes to.
        seed: Seeds every training.

    Raises:
        NerLoopError: If a run fails; those before it are in the file.
    """
    from model.evaluation.machine import code_version
    from model.evaluation.protocol import Watcher, run_protocol

    began, code = time.monotonic(), code_version()
    report = prepared.report
    warn_of_other_code(report.report, code)

    def on_run(run: Run) -> None:
        report.add(run)
        progress.on_run(run)

    with BenchProgress(max(1, len(prepared.supports))) as progress:
        run_protocol(
            prepared.measurement,
            prepared.supports,
            seed=seed,
            finished=report.finished,
            watcher=Watcher(progress.on_skip, progress.on_step, progress.on_texts, on_run),
            code=code,
        )
    report.write()
    _show(report.report)
    typer.echo(f"{time.monotonic() - began:.0f} s in all")


def warn_of_other_code(report: Report, code: str) -> None:
    """Tell which other versions of the code made runs of a file."""
    others = sorted({run.code for run in report.runs} - {code})
    if others:
        kept = ", ".join(other or "unknown" for other in others)
        typer.echo(
            f"Warning: the file holds runs of code {kept}; now it is {code}. They are kept beside "
            "the new ones, each with its own code; --fresh measures all of them again.",
            err=True,
        )


def _show(report: Report) -> None:
    value = report.to_json()
    mean, std = value["mean"], value["std"]
    names = ("precision", "recall", "f1", "io_f1", "type_blind_f1", "f1_unseen")
    known = [name for name in names if name in mean]
    print_table(
        ("", *(name.replace("_", " ") for name in known)),
        [
            (f"mean of {len(report.runs)}", *(f"{mean[name]:.4f}" for name in known)),
            ("std", *(f"{std[name]:.4f}" for name in known)),
        ],
    )
    labels = sorted({label for run in report.runs for label in run.per_label})
    print_table(("label", "F1", "gold"), [_label_row(report, label) for label in labels])


def _label_row(report: Report, label: str) -> tuple[object, ...]:
    rows = [run.per_label[label] for run in report.runs if label in run.per_label]
    f1 = sum(row["f1"] for row in rows) / len(report.runs)
    return label, f"{f1:.4f}", max(int(row["gold"]) for row in rows)


def _name(support: str | None) -> str:
    return support or "zero-shot"
