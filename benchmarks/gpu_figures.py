"""Figures of one network on a GPU: rate of its matrix products, training steps, predictions."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gpu_network import LABELS, block_parameters
from model.base.load import LoadedBase
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.evaluation.machine import peak_rss_mb
from model.method import AdapterFiles, Progress
from model.spans import AnnotatedText


@dataclass(slots=True)
class Work:
    """What a network was given to read.

    Attributes:
        tokens: Tokens read, with whatever padding there was.
        marks: Tokens read at the end of each training step.
    """

    tokens: int = 0
    marks: list[int] = field(default_factory=list)


@contextmanager
def counted(base: LoadedBase) -> Iterator[Work]:
    """Count the tokens that a network embeds."""
    work = Work()

    def count(_module: object, given: tuple[Tensor, ...]) -> None:
        work.tokens += given[0].numel()

    handle = base.decoder.get_submodule("embed_tokens").register_forward_pre_hook(count)
    try:
        yield work
    finally:
        handle.remove()


@dataclass(frozen=True, slots=True)
class Bench:
    """One network under test.

    Attributes:
        base: The network with a tokenizer.
        rate: Measured products per second in FLOP/s, on the network's shapes.
        texts: Annotated texts; the first ones are trained on.
        shots: How many are trained on.
        steps: Optimiser steps that are timed, plus one.
    """

    base: LoadedBase
    rate: float
    texts: Sequence[AnnotatedText]
    shots: int
    steps: int

    @property
    def block_parameters(self) -> int:
        """Weights of the linear layers inside the blocks."""
        return block_parameters(self.base.model.config)


def seconds(work: Callable[[], object]) -> float:
    """Time of a piece of work, the GPU's included."""
    settle()
    began = time.perf_counter()
    work()
    settle()
    return time.perf_counter() - began


def settle() -> None:
    """Wait for the GPU, if there is one in use."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matrix_rate(config: Any, like: Tensor, tokens: int, repeats: int) -> float:
    """Best rate of the products of one block, in FLOP/s; the ceiling everything is held against."""
    width, wide = config.hidden_size, config.intermediate_size
    shapes = ((width, 3 * width), (width, width), (width, 2 * wide), (wide, width))
    # Random numbers: with constant ones a GPU draws less power and runs faster than in real use.
    pairs = [
        (like.new_empty(tokens, k).normal_(), like.new_empty(k, n).normal_()) for k, n in shapes
    ]
    flops = sum(2 * tokens * k * n for k, n in shapes)

    def once() -> None:
        for left, right in pairs:
            torch.mm(left, right)

    times = [seconds(once) for _ in range(repeats)]
    return float(flops / min(times))


def peak_memory() -> int:
    """Bytes at the highest: of the GPU since the last reset, else of the whole process so far."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return int(peak_rss_mb() * 2**20)


def fresh_peak() -> None:
    """Let go of what nobody uses and begin a new measurement of the GPU's peak."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def measured_training(
    bench: Bench, config: CllmfsConfig, name: str
) -> tuple[dict[str, Any], AdapterFiles]:
    """Time the steps of a fit behind the first one; returns the figures and the adapter."""
    fresh_peak()
    steps = bench.steps + 1
    method = Cllmfs(bench.base, replace(config, max_steps=steps, min_steps=steps))
    start = method.fresh_adapter(seed=0).files
    support = bench.texts[: bench.shots]
    retries = logging.getLogger("model.cllmfs.training")
    noted = _Noted()
    retries.addHandler(noted)

    def fit(on_step: Callable[[Progress], None]) -> AdapterFiles:
        return method.fit(support, LABELS, start=start, seed=1, on_step=on_step).files

    with counted(bench.base) as work:  # the same steps once before, to count and to warm up
        fit(lambda _step: work.marks.append(work.tokens))
    fresh_peak()
    times: list[float] = []

    def stamp(_step: Progress) -> None:
        settle()
        times.append(time.perf_counter())

    files = fit(stamp)
    retries.removeHandler(noted)
    passed = times[-1] - times[0]
    tokens = work.marks[-1] - work.marks[0]
    # Forward, and backward to the inputs; the frozen weights take no gradient.
    flops = 4.0 * bench.block_parameters * tokens
    figures = {
        "name": name,
        "texts_per_step": config.batch,
        "checkpointing": config.checkpointing,
        "tokens_per_step": tokens / bench.steps,
        "seconds_per_step": passed / bench.steps,
        "tokens_per_second": tokens / passed,
        "fraction_of_ceiling": flops / passed / bench.rate,
        "peak_bytes": peak_memory(),
        "steps_retried_for_memory": len(noted.messages),
    }
    return figures, files


class _Noted(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def measured_prediction(
    bench: Bench, config: CllmfsConfig, files: AdapterFiles, name: str
) -> dict[str, Any]:
    """Time one prediction of all texts."""
    fresh_peak()
    method = Cllmfs(bench.base, config)
    method.load("adapter", files)
    texts = [item.text for item in bench.texts]
    with counted(bench.base) as work:
        found = method.predict(texts, LABELS, adapter="adapter")
    fresh_peak()
    passed = seconds(lambda: method.predict(texts, LABELS, adapter="adapter"))
    flops = 2.0 * bench.block_parameters * work.tokens
    return {
        "name": name,
        "texts": len(texts),
        "labels": len(LABELS.labels),
        "spans_found": sum(len(prediction.spans) for prediction in found),
        "tokens_per_text": work.tokens / len(texts),
        "texts_per_second": len(texts) / passed,
        "fraction_of_ceiling": flops / passed / bench.rate,
        "peak_bytes": peak_memory(),
    }


def measured(bench: Bench, *, large: int) -> dict[str, Any]:
    """All figures of one network; ``large`` is the number of texts in a large step."""
    plain = CllmfsConfig()
    wide = replace(plain, batch=large, batch_tokens=512 * large)
    training: list[dict[str, Any]] = []
    files: AdapterFiles = {}
    for name, config in (
        ("default step", plain),
        ("default step, checkpointing", replace(plain, checkpointing=True)),
        ("large step", wide),
        ("large step, checkpointing", replace(wide, checkpointing=True)),
    ):
        figures, files = measured_training(bench, config, name)
        training.append(figures)
    prediction = [
        measured_prediction(bench, plain, files, "answers of the network"),
        # What reading texts and questions alone costs; most real answers are empty.
        measured_prediction(
            bench, replace(plain, absence_threshold=0.0), files, "every answer empty"
        ),
    ]
    return {"training": training, "prediction": prediction}
