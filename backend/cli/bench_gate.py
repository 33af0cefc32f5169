"""`nerloop bench gate`: how often the gate errs, and what it finds."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import NerLoopError

if TYPE_CHECKING:
    from backend.studies.gate_documents import RealDocuments


class TwoResultsError(NerLoopError):
    """Real answers are those of two systems: give --results twice, or not at all."""


def gate(
    gates: Annotated[
        int, typer.Option("--gates", help="Gates of a cell; fewer beyond 200 documents.", min=1)
    ] = 1000,
    projects: Annotated[
        int, typer.Option("--projects", help="Projects under the policy auto.", min=1)
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seeds everything.", min=0)] = 1,
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", help="Two files of `nerloop bench score --json`; repeatable."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="Page to write; its JSON goes beside it.")
    ] = None,
) -> None:
    """Let the gate judge versions whose true difference is known."""
    from backend.studies.gate_page import gate_page
    from backend.studies.gate_trials import Plan, measured
    from model.evaluation.machine import code_version, machine

    files = results or []
    real = _real(files)
    begun = time.monotonic()
    value = measured(Plan(gates, projects, seed), real, typer.echo)
    value |= {
        "command": _command(gates, projects, seed, files),
        "code": code_version(),
        "machine": machine(),
        "seconds": round(time.monotonic() - begun, 1),
        "results": [path.name for path in files],
    }
    if page is None:
        typer.echo(gate_page(value))
        return
    beside = page.with_suffix(".json")
    beside.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(gate_page(value), encoding="utf-8")
    typer.echo(f"wrote {page} and {beside}")


def _real(files: list[Path]) -> RealDocuments | None:
    from backend.studies.gate_documents import RealDocuments
    from model.evaluation.report import read_report

    if not files:
        return None
    if len(files) != 2:
        raise TwoResultsError
    return RealDocuments(*(read_report(path) for path in files))


def _command(gates: int, projects: int, seed: int, files: list[Path]) -> str:
    words = ["nerloop bench gate", f"--gates {gates} --projects {projects} --seed {seed}"]
    return " ".join([*words, *(f"--results {path}" for path in files), "--page PAGE"])
