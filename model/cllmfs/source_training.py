"""Training of a base adapter on a large annotated corpus, from a fresh LoRA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from model.cllmfs.checkpoint import Checkpoint
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Losses, TrainingRow, training_rows
from model.cllmfs.method import Cllmfs
from model.cllmfs.source import SourceMix, SourceSampler
from model.errors import TrainingDataError
from model.method import Fitted, Progress
from model.spans import AnnotatedText

SOURCE_CONFIG = replace(
    CllmfsConfig(),
    rate=1e-3,
    warmup=0.06,
    batch=12,
    dropout=0.0,
    pull=0.0,
    absent_weight=1.0,
)
"""Settings of the source stage; the number of steps is an argument."""

_BUCKET = 16


def train_base_adapter(
    method: Cllmfs,
    corpus: Sequence[AnnotatedText],
    *,
    steps: int,
    seed: int,
    config: CllmfsConfig = SOURCE_CONFIG,
    mix: SourceMix | None = None,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train a base adapter: version 0 of every project.

    Args:
        method: CLLMFS with ``config`` on the base model the adapter is for.
        corpus: Texts with spans of the source types.
        steps: Optimiser steps.
        seed: Seeds the fresh LoRA, the questions, their order and the noise.
        config: Settings; the same that ``method`` was made with.
        mix: How texts become questions.
        checkpoint: Where the run is kept, so that it can be taken up again.
        on_step: Called after each step.

    Raises:
        TrainingDataError: If the corpus is empty.
        DivergedError: If the loss stops being finite.
        CheckpointError: If the kept run is damaged or another one.
    """
    if not corpus:
        raise TrainingDataError("The source corpus is empty.")
    counts = Losses()
    batches = _batches(method, corpus, config, mix or SourceMix(), steps, seed, counts)
    start = method.fresh_adapter(seed).files
    return method.train_on(
        batches, counts, start=start, seed=seed, checkpoint=checkpoint, on_step=on_step
    )


def _batches(
    method: Cllmfs,
    corpus: Sequence[AnnotatedText],
    config: CllmfsConfig,
    mix: SourceMix,
    steps: int,
    seed: int,
    counts: Losses,
) -> list[list[TrainingRow]]:
    sampler = SourceSampler(corpus, mix, seed)
    batches: list[list[TrainingRow]] = []
    while len(batches) < steps:
        rows: list[TrainingRow] = []
        while len(rows) < _BUCKET * config.batch:
            drawn = sampler.draw()
            rows += training_rows(
                drawn.item,
                drawn.labels,
                method.encoder,
                counts,
                window=config.window,
                group=config.group,
                absent_weight=config.absent_weight,
            )
        # Rows of similar length share a step; the steps themselves come in random order.
        rows.sort(key=lambda row: len(row.pack.ids))
        bucket = [rows[k : k + config.batch] for k in range(0, len(rows), config.batch)]
        batches += sampler.shuffled(bucket)
    return batches[:steps]
