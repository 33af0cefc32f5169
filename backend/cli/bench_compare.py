"""`nerloop bench compare`: which differences between measurements are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.bench_options import JsonOption
from backend.cli.printing import print_table

if TYPE_CHECKING:
    from model.evaluation.comparison import Verdict
    from model.evaluation.report import Report

ReportsArgument = Annotated[
    list[Path], typer.Argument(help="Files written by `nerloop bench score --json`.")
]


def named_reports(files: list[Path]) -> list[tuple[str, Report]]:
    """The reports under the shortest ends of their paths that tell them apart.

    Raises:
        ReportError: If a file cannot be read or holds no measurement.
    """
    from model.evaluation.report import read_report

    length = 1
    longest = max(len(path.parts) for path in files)
    names = [path.stem for path in files]
    while len(set(names)) < len(names) and length < longest:
        length += 1
        names = ["/".join(path.with_suffix("").parts[-length:]) for path in files]
    return [(name, read_report(path)) for name, path in zip(names, files, strict=True)]


def compare(
    files: ReportsArgument,
    draws: Annotated[int, typer.Option("--draws", help="Bootstrap draws.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 0,
    out: JsonOption = None,
) -> None:
    """Compare the first file with each of the others by paired bootstrap, Holm-corrected.

    Both must have scored the same sentences for the same labels. Runs are paired by support set.
    """
    from model.evaluation import comparison

    verdicts = comparison.compare(named_reports(files), draws=draws, seed=seed)
    print_table(
        ("A", "B", "F1 A", "F1 B", "A - B", "95 % interval", "p", "p (Holm)", "supports", ""),
        [_row(verdict) for verdict in verdicts],
    )
    for verdict in verdicts:
        only = verdict.sentence_only
        typer.echo(
            f"{verdict.first} against {verdict.other}, sentences alone drawn: "
            f"{_interval(only.low, only.high)}, p {only.p:.2g}"
        )
        if verdict.left_out:
            typer.echo(f"  {verdict.left_out} runs have no partner and are left out.")
    if out is not None:
        value = {
            "comparisons": [verdict.to_json() for verdict in verdicts],
            "draws": draws,
            "seed": seed,
        }
        out.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _row(verdict: Verdict) -> tuple[object, ...]:
    both = verdict.both
    return (
        verdict.first,
        verdict.other,
        f"{verdict.f1_first:.4f}",
        f"{verdict.f1_other:.4f}",
        f"{both.difference:+.4f}",
        _interval(both.low, both.high),
        f"{both.p:.2g}",
        f"{verdict.p_holm:.2g}",
        verdict.supports,
        verdict.sentence,
    )


def _interval(low: float, high: float) -> str:
    return f"{low:+.4f} to {high:+.4f}"
