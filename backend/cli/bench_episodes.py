"""`nerloop bench episodes`: one micro-F1 over many few-shot episodes, as Few-NERD measures."""

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
from backend.cli.registry_access import DEFAULT_HOME, HomeOption


def episodes(
    test: Annotated[Path, typer.Option("--test", help="CoNLL file to sample episodes from.")],
    method: Annotated[str, typer.Option("--method", help="Name of the method.")] = "label_aware",
    base: BaseOption = "minilm-l6",
    source_adapter: StartOption = "shipped",
    ways: Annotated[int, typer.Option("--ways", help="Types of an episode.", min=1)] = 5,
    shots: Annotated[
        int, typer.Option("--shots", help="K of K~2K mentions per type to learn from.", min=1)
    ] = 1,
    queries: Annotated[
        int | None,
        typer.Option("--queries", help="The same of what is scored; default: as --shots.", min=1),
    ] = None,
    number: Annotated[int, typer.Option("--episodes", help="How many.", min=1)] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sampling.")] = 1,
    split: Annotated[
        str,
        typer.Option(
            "--split", help="Types: `inter` (all of the file), `intra-like`, `intra-like-dev`."
        ),
    ] = "inter",
    splits: Annotated[
        Path | None,
        typer.Option("--splits", help="Lists of types; default: type_splits.json beside the test."),
    ] = None,
    labels: LabelsOption = None,
    indices: Annotated[
        Path | None,
        typer.Option("--indices", help="Sampled episodes; written if it is not there, else read."),
    ] = None,
    sample_only: Annotated[
        bool, typer.Option("--sample-only", help="Write --indices and measure nothing.")
    ] = False,
    train_seed: TrainSeedOption = 1,
    config: ConfigOption = "{}",
    threads: MostThreadsOption = None,
    home: HomeOption = DEFAULT_HOME,
    fresh: FreshOption = False,
    out: RunsJsonOption = None,
) -> None:
    """Train on each episode's support set and score its queries; one micro-F1 over all queries."""
    from backend.cli.episodes_measured import episodes_shown
    from backend.cli.episodes_request import EpisodesRequest, prepare, stored_episodes
    from model.data.episode_sampling import EpisodeShape

    request = EpisodesRequest(
        test=test,
        labels=labels,
        split=split,
        splits=splits,
        shape=EpisodeShape(ways, shots, queries or shots, seed),
        number=number,
        indices=indices,
        method=method,
        base=base,
        source_adapter=source_adapter,
        config=config,
        threads=threads,
        home=home,
        out=out,
        fresh=fresh,
    )
    if sample_only:
        request.require_indices()
        typer.echo(f"{len(stored_episodes(request).episodes)} episodes are in {indices}")
        return
    episodes_shown(prepare(request), train_seed)
