"""Measures prepared episodes one after another and shows the figures over all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from backend.cli.bench_progress import BenchProgress, warn_of_other_code
from backend.cli.printing import print_table

if TYPE_CHECKING:
    from backend.cli.episodes_request import PreparedEpisodes
    from model.evaluation.report import Report
    from model.evaluation.runs import Run


def episodes_shown(prepared: PreparedEpisodes, seed: int) -> None:
    """Measure the episodes that are missing, write each, and print the outcome.

    Args:
        prepared: The episodes, and the file they go to.
        seed: Seeds every training.

    Raises:
        NerLoopError: If an episode fails; those before it are in the file.
    """
    from model.evaluation.machine import code_version
    from model.evaluation.protocol import Watcher, run_protocol

    began, code = time.monotonic(), code_version()
    report = prepared.report
    warn_of_other_code(report.report, code)

    def on_run(run: Run) -> None:
        report.add(run)
        progress.on_run(run)

    with BenchProgress(len(prepared.episodes)) as progress:
        watcher = Watcher(progress.on_skip, progress.on_step, progress.on_texts, on_run)
        for number in range(len(prepared.episodes)):
            measured, support = prepared.measurement(number)
            run_protocol(
                measured,
                [support],
                seed=seed,
                finished=report.finished,
                watcher=watcher,
                code=code,
            )
    report.write()
    _show(report.report)
    typer.echo(f"{time.monotonic() - began:.0f} s in all")


def _show(report: Report) -> None:
    micro = report.to_json()["micro"]
    low, high = micro["interval"]
    print_table(
        ("episodes", "precision", "recall", "micro F1", "95 % interval", "io f1"),
        [
            (
                micro["episodes"],
                f"{micro['precision']:.4f}",
                f"{micro['recall']:.4f}",
                f"{micro['f1']:.4f}",
                f"{low:.4f} to {high:.4f}",
                "-" if micro["io_f1"] is None else f"{micro['io_f1']:.4f}",
            )
        ],
    )
