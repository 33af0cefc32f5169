"""`nerloop bench score`: strict scores, zero-shot or after each of several support sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.bench_options import (
    BaseOption,
    ConfigOption,
    FreshOption,
    LabelsOption,
    MostThreadsOption,
    RunsJsonOption,
    StartOption,
    TrainSeedOption,
)
from backend.cli.bench_progress import runs_shown
from backend.cli.registry_access import DEFAULT_HOME, HomeOption


def score(
    test: Annotated[Path, typer.Option("--test", help="CoNLL file to score on.")],
    method: Annotated[str, typer.Option("--method", help="Name of the method.")] = "cllmfs",
    base: BaseOption = "smollm2-135m-q4",
    source_adapter: StartOption = "shipped",
    support: Annotated[
        list[Path] | None,
        typer.Option("--support", help="CoNLL file, or folder of some; one run each; repeatable."),
    ] = None,
    labels: LabelsOption = None,
    limit: Annotated[
        int, typer.Option("--limit", help="Score this many sentences; 0: all.", min=0)
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Picks the sentences of --limit.")] = 1,
    train_seed: TrainSeedOption = 1,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Quick protocol: 300 sentences, seed 1, the first three supports."
        ),
    ] = False,
    oracle_types: Annotated[
        bool,
        typer.Option(
            "--oracle-types", help="Ask each sentence only for its gold labels: a side column."
        ),
    ] = False,
    present_only: Annotated[
        bool,
        typer.Option(
            "--present-only", help="Ask only labels of the test file: splits with own types."
        ),
    ] = False,
    draw: Annotated[
        Path | None, typer.Option("--draw", help="CoNLL file to draw support sets from.")
    ] = None,
    shots: Annotated[
        int, typer.Option("--shots", help="Mentions per label in a drawn set.", min=0)
    ] = 0,
    draws: Annotated[
        int, typer.Option("--draws", help="Sets to draw, with seeds from 0.", min=1)
    ] = 1,
    also_in: Annotated[
        list[Path] | None,
        typer.Option("--also-in", help="Report F1 without sentences of these files; repeatable."),
    ] = None,
    no_spaces: Annotated[
        bool, typer.Option("--no-spaces", help="Join words without spaces, as in Chinese.")
    ] = False,
    config: ConfigOption = "{}",
    threads: MostThreadsOption = None,
    home: HomeOption = DEFAULT_HOME,
    fresh: FreshOption = False,
    out: RunsJsonOption = None,
) -> None:
    """Score zero-shot, or after training on each --support; strict spans, all labels asked."""
    from backend.cli.bench_request import ScoreRequest, prepare

    request = ScoreRequest(
        test=test,
        labels=labels,
        support=tuple(support or ()),
        draw=draw,
        shots=shots,
        draws=draws,
        also_in=tuple(also_in or ()),
        spaced=not no_spaces,
        limit=limit,
        seed=seed,
        quick=quick,
        present_only=present_only,
        oracle_types=oracle_types,
        method=method,
        base=base,
        source_adapter=source_adapter,
        config=config,
        threads=threads,
        home=home,
        out=out,
        fresh=fresh,
    )
    prepared = prepare(request)
    runs_shown(prepared, train_seed)
