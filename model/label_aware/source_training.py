"""Training of a base adapter on a large annotated corpus, from a fresh LoRA."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from model.errors import TrainingDataError
from model.label_aware.config import LabelAwareConfig
from model.label_aware.method import LabelAware
from model.label_aware.training import TaughtPiece, taught
from model.method import Fitted, Progress
from model.spans import AnnotatedText, Label

SOURCE_CONFIG = replace(
    LabelAwareConfig(),
    rate=1.5e-3,
    head_rate=3e-3,
    warmup=0.06,
    batch=16,
    encoder_dropout=False,
)
"""Settings of the source stage; the number of steps is an argument."""

_BUCKET = 16


class SourceText(Protocol):
    """A text with the labels asked of it; names of its spans are names of the labels."""

    @property
    def item(self) -> AnnotatedText:
        """The text with its spans."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels asked, in the order asked."""


def train_base_adapter(
    method: LabelAware,
    draw: Callable[[], SourceText],
    *,
    steps: int,
    seed: int,
    config: LabelAwareConfig = SOURCE_CONFIG,
    on_step: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train a base adapter: version 0 of every project.

    Every text comes with labels of its own, so words are compared within their text alone.

    Args:
        method: The method with ``config`` on the encoder the adapter is for.
        draw: Gives one text after the other, in as many wordings of labels as there are.
        steps: Optimiser steps.
        seed: Seeds the fresh adapter, the order and the dropout.
        config: Settings; the same that ``method`` was made with.
        on_step: Called after each step.

    Raises:
        TrainingDataError: If what is drawn holds no words.
        DivergedError: If the loss stops being finite.
    """
    batches = list(_batches(method, draw, config, steps, seed))
    start = method.fresh_adapter(seed).files
    return method.train_on(batches, start=start, seed=seed, on_step=on_step)


def _batches(
    method: LabelAware,
    draw: Callable[[], SourceText],
    config: LabelAwareConfig,
    steps: int,
    seed: int,
) -> Iterator[Sequence[TaughtPiece]]:
    order = random.Random(seed)
    left, group = steps, 0
    while left > 0:
        pieces: list[TaughtPiece] = []
        for _ in range(min(_BUCKET, left) * config.batch):
            drawn = draw()
            if drawn.labels:
                groups = method.writer.groups(drawn.labels)
                pieces += taught(drawn.item, groups, method.writer, group)
            group += 1
        if not pieces:
            raise TrainingDataError("The source corpus holds no words to learn from.")
        # pieces of similar length share a step; the steps themselves come in random order
        pieces.sort(key=lambda own: len(own.piece.ids))
        parts = [pieces[k : k + config.batch] for k in range(0, len(pieces), config.batch)]
        yield from order.sample(parts, len(parts))[:left]
        left -= len(parts)
