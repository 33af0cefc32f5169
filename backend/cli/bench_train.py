"""`nerloop bench train`: seconds per optimiser step, and of a whole fit, with their peak memory."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.bench_options import (
    THREADS,
    BaseOption,
    ConfigOption,
    JsonOption,
    SourceAdapterOption,
    ThreadsOption,
    told_options,
)
from backend.cli.printing import print_table
from backend.cli.registry_access import DEFAULT_HOME, HomeOption
from model.base.catalogue import DEFAULT_BASE

if TYPE_CHECKING:
    from model.base.load import LoadedBase
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.examples import TrainingRow
    from model.cllmfs.method import Cllmfs
    from model.method import AdapterFiles
    from model.spans import AnnotatedText, LabelSet

_SEED = 1
_AGREE = 0.02


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """The options, one attribute each; the command's help says what they mean."""

    support: Path
    labels: Path | None
    steps: int
    threads: int
    base: str
    source_adapter: str
    config: str
    home: Path

    @property
    def told(self) -> list[str]:
        """The options as they can be typed again, those with their default left out."""
        return told_options(
            [
                ("--support", self.support, None),
                ("--labels", self.labels, None),
                ("--steps", self.steps, None),
                ("--threads", self.threads, THREADS),
                ("--base", self.base, DEFAULT_BASE),
                ("--source-adapter", self.source_adapter, "shipped"),
                ("--config", self.config, "{}"),
            ]
        )


def train(
    support: Annotated[Path, typer.Option("--support", help="CoNLL file to learn from.")],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="labels.json; default: the one beside the support file."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="Steps that are timed.", min=2)] = 6,
    threads: ThreadsOption = THREADS,
    base: BaseOption = DEFAULT_BASE,
    source_adapter: SourceAdapterOption = "shipped",
    config: ConfigOption = "{}",
    home: HomeOption = DEFAULT_HOME,
    out: JsonOption = None,
) -> None:
    """Time training steps, ours and one float32 row per question, and a whole fit.

    Everything runs on the CPU, even where there is a GPU.
    """
    request = TrainRequest(support, labels, steps, threads, base, source_adapter, config, home)
    value = measured(request)
    if out is not None:
        out.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    _show(value)


def measured(request: TrainRequest) -> dict[str, Any]:
    """Measure everything, each part in a process of its own, and return it as a JSON value.

    Raises:
        BenchOptionsError: If the settings are no JSON object.
        ConfigError: If a setting is unknown or lies outside its range.
        NerLoopError: If a file, the base model or the adapter cannot be used.
    """
    from backend.cli.bench_request import config_object
    from model.cllmfs.config import CllmfsConfig
    from model.evaluation.machine import code_version, machine

    # before any process starts, for an error is told better here
    CllmfsConfig.from_json(config_object(request.config))
    parts = {}
    # A process of its own each: the peak memory of a process never falls.
    for name in ("packed", "rows", "fit"):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            parts[name] = pool.submit(part_measured, request, name).result()
    packed, rows = parts["packed"], parts["rows"]
    apart = abs(packed["first_loss"] - rows["first_loss"]) / rows["first_loss"]
    return {
        **parts,
        "ratio": rows["seconds_per_step"] / packed["seconds_per_step"],
        "first_losses_apart": apart,
        "first_losses_agree": apart <= _AGREE,
        "support": request.support.name,
        "options": request.told,
        "base": Path(request.base).name,
        "threads": request.threads,
        "machine": machine(),
        "code": code_version(),
    }


def part_measured(request: TrainRequest, part: str) -> dict[str, Any]:
    """Measure one part in this process.

    Args:
        request: The options.
        part: ``packed`` and ``rows`` time steps, ``fit`` a whole fit.
    """
    import torch

    from model.base.load import load_base
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.method import Cllmfs
    from model.evaluation.machine import peak_rss_mb
    from model.methods import start_adapter

    torch.set_num_threads(request.threads)
    items, labels = _texts(request)
    base = load_base(request.home, request.base, device="cpu")
    config = CllmfsConfig.from_json({**CllmfsConfig().to_json(), **json.loads(request.config)})
    if part != "fit":
        config = replace(config, dropout=0.0, packed=part == "packed")
    if part == "rows":
        base.model.to(torch.float32)
    method = Cllmfs(base, config)
    start = start_adapter(method, request.source_adapter)
    if part == "fit":
        found = _fit(method, items, labels, start)
    else:
        found = _steps(
            method, base, config, training_steps(method, config, items, labels, request), start
        )
    return {
        **found,
        "peak_rss_mb": peak_rss_mb(),
        "number_type": str(base.dtype).removeprefix("torch."),
        "config": config.to_json(),
    }


def _texts(request: TrainRequest) -> tuple[tuple[AnnotatedText, ...], LabelSet]:
    from model.data.bench_files import read_test

    read = read_test(request.support, request.labels)
    return read.items, read.labels


def _fit(
    method: Cllmfs, items: Sequence[AnnotatedText], labels: LabelSet, start: AdapterFiles
) -> dict[str, Any]:
    from model.evaluation.digests import adapter_digest

    began = time.perf_counter()
    fitted = method.fit(items, labels, start=start, seed=_SEED)
    return {
        "seconds": time.perf_counter() - began,
        "steps": fitted.report["steps"],
        "texts": len(items),
        "labels": len(labels.labels),
        "adapter_digest": adapter_digest(fitted.files),
    }


def training_steps(
    method: Cllmfs,
    config: CllmfsConfig,
    items: Sequence[AnnotatedText],
    labels: LabelSet,
    request: TrainRequest,
) -> list[list[TrainingRow]]:
    """Steps of the same texts, however many rows a text becomes."""
    from model.cllmfs.examples import Losses

    order = random.Random(_SEED)
    texts: list[AnnotatedText] = []
    while len(texts) < request.steps * config.batch:
        texts += order.sample(list(items), len(items))
    rows = [method.rows(item, labels, Losses(), order) for item in texts]
    return [
        [row for own in rows[step * config.batch : (step + 1) * config.batch] for row in own]
        for step in range(request.steps)
    ]


def _steps(
    method: Cllmfs,
    base: LoadedBase,
    config: CllmfsConfig,
    batches: Sequence[Sequence[TrainingRow]],
    start: AdapterFiles,
) -> dict[str, Any]:
    from model.cllmfs import speed
    from model.cllmfs.examples import Losses
    from model.method import Progress

    times, losses = [time.perf_counter()], []

    def on_step(progress: Progress) -> None:
        times.append(time.perf_counter())
        losses.append(progress.loss)

    with speed.counted_tokens(base) as count:
        method.train_on(batches, Losses(), start=start, seed=_SEED, on_step=on_step)
    seconds = [after - before for before, after in itertools.pairwise(times)]
    rate, parameters = speed.matrix_rate(base, base.dtype), speed.block_parameters(base)
    # The first step sets the libraries up; it is told apart and left out of the mean.
    each = statistics.mean(seconds[1:])
    tokens = count.tokens / len(batches)
    return {
        "seconds_per_step": each,
        "seconds_all": seconds,
        "steps": len(batches),
        "texts_per_step": config.batch,
        "rows_per_step": sum(map(len, batches)) / len(batches),
        "tokens_per_step": tokens,
        "first_loss": losses[0],
        "losses": losses,
        "rate": rate,
        "block_parameters": parameters,
        # One product forward and one back to the inputs; frozen weights get no gradient.
        "share_of_rate": 4.0 * tokens * parameters / rate / each,
    }


def _show(value: dict[str, Any]) -> None:
    rows: list[tuple[object, ...]] = []
    for name in ("packed", "rows"):
        part = value[name]
        rows.append(
            (
                f"{name}, {part['number_type']}",
                f"{part['seconds_per_step']:.2f}",
                f"{part['tokens_per_step']:.0f}",
                f"{100 * part['share_of_rate']:.0f} %",
                f"{part['first_loss']:.4f}",
                f"{part['peak_rss_mb']:.0f}",
            )
        )
    columns = ("way", "s per step", "tokens", "of the matrix rate", "first loss", "peak MB")
    print_table(columns, rows)
    fit, agree = value["fit"], "agree" if value["first_losses_agree"] else "DIFFER"
    typer.echo(
        f"packed steps are {value['ratio']:.1f} times faster; the first losses {agree} "
        f"({100 * value['first_losses_apart']:.2f} % apart)"
    )
    typer.echo(
        f"whole fit of {fit['texts']} texts and {fit['labels']} labels: {fit['seconds']:.1f} s, "
        f"{fit['steps']} steps, peak memory {fit['peak_rss_mb']:.0f} MB"
    )
