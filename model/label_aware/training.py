"""Rows to learn from, and their training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from model.encoding.gaussian import GaussianHead, Gaussians
from model.encoding.loop import TrainedPart, optimise
from model.encoding.tags import io_tags_of
from model.encoding.tuning import TrainedCopy
from model.encoding.words import Piece
from model.label_aware.config import Distance, LabelAwareConfig
from model.label_aware.losses import (
    context_context_loss,
    context_label_loss,
    distances,
    each_label_loss,
)
from model.label_aware.network import Reading, read
from model.label_aware.suffix import InputWriter
from model.method import Progress
from model.spans import AnnotatedText, Label, LabelSet


@dataclass(frozen=True, slots=True)
class TaughtPiece:
    """A piece of text with a group of labels and what is right.

    Attributes:
        piece: The text.
        labels: The group.
        gold: Which labels are right for each word, "no label" first. Shape ``(w, k + 1)``, bool.
        tags: One label for each word, numbered over all groups, 0 for none. Shape ``(w,)``.
        group: Words are compared in the context-context term only within one such number.
    """

    piece: Piece
    labels: tuple[Label, ...]
    gold: Tensor
    tags: Tensor
    group: int


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised: ``a * context-context + (1 - a) * context-label``.

    Attributes:
        distance: Between words, and between words and labels.
        context_weight: ``a``.
    """

    distance: Distance
    context_weight: float


def taught(
    item: AnnotatedText,
    groups: Sequence[Sequence[Label]],
    writer: InputWriter,
    group: int | None = None,
) -> list[TaughtPiece]:
    """What is learned from one text.

    Args:
        item: The text with its spans.
        groups: All labels in groups.
        writer: Cuts the text.
        group: Number for the context-context term; None takes the number of the label group.
    """
    pieces = writer.pieces(item.text, groups)
    found: list[TaughtPiece] = []
    first = 1
    for number, labels in enumerate(groups):
        names = [label.name for label in labels]
        for piece in pieces:
            gold = torch.zeros(len(piece.words), len(labels) + 1, dtype=torch.bool)
            for column, name in enumerate(names, start=1):
                gold[:, column] = torch.tensor(io_tags_of(piece.words, item.spans, [name])) > 0
            gold[:, 0] = ~gold.any(-1)
            tags = torch.tensor(io_tags_of(piece.words, item.spans, names))
            tags = torch.where(tags > 0, tags + first - 1, 0)
            own = number if group is None else group
            found.append(TaughtPiece(piece, tuple(labels), gold, tags, own))
        first += len(labels)
    return found


def objective_for(
    support: Sequence[AnnotatedText], labels: LabelSet, config: LabelAwareConfig
) -> Objective:
    """The objective for a support set: another one where labels have few mentions on average."""
    mentions = sum(span.label in labels.names for item in support for span in item.spans)
    if mentions / len(labels) < config.few_mentions:
        return Objective(config.few_distance, config.few_weight)
    return Objective(config.distance, config.context_weight)


def similarities_of(
    reading: Reading, words: Gaussians, labels: Gaussians, distance: Distance, temperature: float
) -> list[Tensor]:
    """``-d / T`` of each row's words to its labels. Shapes ``(w, k + 1)``."""
    return reading.blocks(-distances(words, labels, distance) / temperature)


def train(
    copied: TrainedCopy,
    head: GaussianHead,
    batches: Sequence[Sequence[TaughtPiece]],
    objective: Objective,
    config: LabelAwareConfig,
    writer: InputWriter,
    *,
    padding: int,
    seed: int,
    on_step: Callable[[Progress], None] | None = None,
) -> list[float]:
    """Train an encoder and its heads in place; see :func:`model.encoding.loop.optimise`.

    Args:
        copied: The encoder.
        head: The Gaussian heads.
        batches: The pieces of each step.
        objective: What is minimised.
        config: Rates and the like.
        writer: Puts the labels behind the texts.
        padding: The id behind short rows.
        seed: Seeds the order of the labels and the dropout.
        on_step: Called after each step.

    Returns:
        The losses, one per step, in nats.

    Raises:
        DivergedError: If a loss is not finite.
    """
    order, half = random.Random(seed), config.half

    def loss_of(batch: Sequence[TaughtPiece]) -> Tensor:
        rows = [
            writer.row(own.piece, own.labels, _order(len(own.labels), config, order))
            for own in batch
        ]
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            reading = read(copied.network, rows, padding, config)
        words, labels = head(reading.words.float()), head(reading.labels.float())
        return _loss(reading, words, labels, batch, objective, config)

    with torch.random.fork_rng(devices=[]), torch.enable_grad(), _modes(copied, head, config):
        torch.manual_seed(seed)
        return optimise(
            [
                TrainedPart(copied.parameters, config.rate),
                TrainedPart(list(head.parameters()), config.head_rate),
            ],
            batches,
            loss_of,
            decay=config.decay,
            warmup=config.warmup,
            clip=config.clip,
            on_step=on_step,
        )


def _loss(
    reading: Reading,
    words: Gaussians,
    labels: Gaussians,
    batch: Sequence[TaughtPiece],
    objective: Objective,
    config: LabelAwareConfig,
) -> Tensor:
    share = objective.context_weight
    total = words.means.new_zeros(())
    if share > 0:
        total = total + share * context_context_loss(
            distances(words, words, objective.distance),
            torch.cat([own.tags for own in batch]),
            torch.cat([torch.full_like(own.tags, own.group) for own in batch]),
            temperature=config.temperature,
            outside_weight=config.outside_weight,
        )
    if share < 1:
        blocks = similarities_of(reading, words, labels, objective.distance, config.temperature)
        measure = each_label_loss if config.nested else context_label_loss
        each = [measure(block, own.gold) for block, own in zip(blocks, batch, strict=True)]
        sizes = [len(own.tags) for own in batch]
        mean = torch.stack([loss * n for loss, n in zip(each, sizes, strict=True)]).sum()
        total = total + (1 - share) * mean / sum(sizes)
    return total


def _order(labels: int, config: LabelAwareConfig, order: random.Random) -> list[int]:
    # "no label" stays in front
    numbers = list(range(1, labels + 1))
    if config.shuffle_labels:
        order.shuffle(numbers)
    return [0, *numbers]


@contextmanager
def _modes(copied: TrainedCopy, head: GaussianHead, config: LabelAwareConfig) -> Iterator[None]:
    copied.network.train(config.encoder_dropout)
    if config.half:
        # the fused attention is slow going back in bfloat16
        network: Any = copied.network
        network.set_attn_implementation("eager")
    head.train()
    try:
        yield
    finally:
        copied.network.eval()
        head.eval()
