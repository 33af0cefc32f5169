"""The configuration of CLLMFS: one frozen value, stored whole with every adapter version."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from model.errors import NerLoopError

ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

RowFormat = Literal["sentence_first", "instruction_first"]
ContrastLoss = Literal["info_nce", "pairwise"]
LossOn = Literal["answer", "row"]
Decoding = Literal["automaton", "bag", "free"]


class ConfigError(NerLoopError):
    """A setting of the method lies outside its range."""


@dataclass(frozen=True, slots=True)
class CllmfsConfig:
    """Settings of the few-shot stage; the defaults were chosen on development data.

    Attributes:
        rank: Rank of a fresh LoRA, 1 to 16; a fit keeps the rank of its start.
        alpha: LoRA scale numerator of a fresh adapter: the update is multiplied by alpha / rank.
        dropout: Dropout before the LoRA matrices while training, in [0, 1).
        modules: Linear layers a fresh LoRA is put on.
        rate: Peak learning rate of AdamW.
        warmup: Share of the steps over which the rate rises, in [0, 1]; it falls linearly after.
        epochs: Passes over the support set.
        max_steps: Upper bound on the optimiser steps.
        min_steps: Lower bound: tiny support sets get more passes.
        batch: Packed texts in one step.
        clip: Largest gradient norm.
        pull: Times the rate: share of the way back to the start weights after each step (a
            decoupled L2 pull); 0 switches it off.
        trust: Factor of the share of the start's weights that a fit keeps, see
            :func:`model.cllmfs.interpolation.share_kept`; 0 keeps the trained weights alone.
        absent_weight: Weight of the rows whose answer is ``none``, relative to rows with mentions.
        contrast_weight: Weight of the contrastive term; 0 switches it off.
        temperature: Divides the cosines of the contrastive term. Above zero.
        noise: Distribution of the noise on the positives.
        noise_scale: Size of the noise relative to the norm of the positive.
        depth: Share of the blocks after which the contrastive term reads the states.
        window: Longest piece of text that is read at once, in tokens.
        group: Most questions in one pack.
        descriptions: Whether the labels' descriptions are part of the questions.
        overlaps: Whether spans of different labels may overlap in an answer; if not, the most
            confident one is kept.
        threads: CPU threads of torch; None leaves them as they are.
        row_format: Order of a row: the sentence first, so that all questions share it, or the
            published one: an instruction with the type, then the sentence, one row per question.
        packed: Whether the questions of a text share one sequence; without it every question is a
            row of its own. Rows with the instruction first always are.
        contrast: The contrastive term: InfoNCE, or the pairwise logistic loss of public code.
        absent_share: Share of the questions answered ``none`` that are kept of each window, drawn
            at random, in [0, 1].
        loss_on: Whether the answer alone is learned or the whole row, the prompt included.
        decoding: How answers are kept to the text: by the span-copy automaton, by a bag of allowed
            tokens, or not at all; the last two match strings afterwards.
        sampling: Temperature at which answers are drawn; 0 takes the best token each time.
        top_k: Most tokens that compete in a draw; 0 lets all allowed ones compete.
        reuse_words: Whether mentions of one label may share words (nested spans).
        span_limit: Most mentions in an answer that may share words; without sharing, the length
            of the text is the limit.
        trained_share: Share of the blocks, counted from the top, whose LoRA is trained. Above 0.
        batch_tokens: Most tokens, padding included, that one pass of a training step reads; less
            where memory is short.
        checkpointing: Whether the states inside the blocks are computed again for the gradients
            instead of being kept: less memory, more time.
        absence_threshold: Probability of ``none`` from which on the answer is empty, in [0, 1];
            None leaves the choice to the decoding. Not with ``free`` decoding, which takes the
            best token whatever it is.

    Raises:
        ConfigError: If a setting lies outside its range.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    modules: tuple[str, ...] = ALL_LINEAR
    rate: float = 5e-4
    warmup: float = 0.1
    epochs: int = 6
    max_steps: int = 120
    min_steps: int = 20
    batch: int = 4
    clip: float = 1.0
    pull: float = 60.0
    trust: float = 1.0
    absent_weight: float = 0.4
    contrast_weight: float = 0.01
    temperature: float = 0.1
    noise: Literal["normal", "uniform"] = "normal"
    noise_scale: float = 0.1
    depth: float = 0.8125
    window: int = 320
    group: int = 16
    descriptions: bool = True
    overlaps: bool = False
    threads: int | None = None
    row_format: RowFormat = "sentence_first"
    packed: bool = True
    contrast: ContrastLoss = "info_nce"
    absent_share: float = 1.0
    loss_on: LossOn = "answer"
    decoding: Decoding = "automaton"
    sampling: float = 0.0
    top_k: int = 0
    reuse_words: bool = False
    span_limit: int = 64
    trained_share: float = 1.0
    batch_tokens: int = 1536
    checkpointing: bool = False
    absence_threshold: float | None = None

    def __post_init__(self) -> None:
        checks = {
            "rank": 1 <= self.rank <= 16,
            "alpha": self.alpha > 0,
            "dropout": 0 <= self.dropout < 1,
            "modules": bool(self.modules) and set(self.modules) <= set(ALL_LINEAR),
            "rate": self.rate > 0,
            "warmup": 0 <= self.warmup <= 1,
            "epochs": self.epochs >= 1,
            "max_steps": self.max_steps >= 1,
            "min_steps": self.min_steps >= 1,
            "batch": self.batch >= 1,
            "clip": self.clip > 0,
            "pull": self.pull >= 0,
            "trust": self.trust >= 0,
            "absent_weight": self.absent_weight >= 0,
            "contrast_weight": self.contrast_weight >= 0,
            "temperature": self.temperature > 0,
            "noise": self.noise in ("normal", "uniform"),
            "noise_scale": self.noise_scale >= 0,
            "depth": 0 < self.depth <= 1,
            "window": self.window >= 16,
            "group": self.group >= 1,
            "threads": self.threads is None or self.threads >= 1,
            "row_format": self.row_format in get_args(RowFormat),
            "contrast": self.contrast in get_args(ContrastLoss),
            "absent_share": 0 <= self.absent_share <= 1,
            "loss_on": self.loss_on in get_args(LossOn),
            "decoding": self.decoding in get_args(Decoding),
            "sampling": self.sampling >= 0,
            "top_k": self.top_k >= 0,
            "span_limit": self.span_limit >= 1,
            "trained_share": 0 < self.trained_share <= 1,
            "batch_tokens": self.batch_tokens >= 1,
            "absence_threshold": self.absence_threshold is None or 0 <= self.absence_threshold <= 1,
        }
        wrong = [name for name, fine in checks.items() if not fine]
        if wrong:
            listed = ", ".join(f"{name}={getattr(self, name)!r}" for name in wrong)
            raise ConfigError(f"CLLMFS cannot work with {listed}.")
        if self.decoding == "free" and self.absence_threshold is not None:
            raise ConfigError("absence_threshold has no effect on free decoding; leave one out.")

    def to_json(self) -> dict[str, Any]:
        """A JSON value that :meth:`from_json` reads back."""
        return {**asdict(self), "modules": list(self.modules)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> CllmfsConfig:
        """Read what :meth:`to_json` wrote.

        Raises:
            ConfigError: If there is a setting of an unknown name, or one outside its range.
        """
        unknown = sorted(set(value) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigError(f"CLLMFS knows no setting called {', '.join(unknown)}.")
        return cls(**{**value, "modules": tuple(value.get("modules", ALL_LINEAR))})


def contrast_block(blocks: int, depth: float) -> int:
    """The block whose output the contrastive term reads, from 1; halves are rounded up.

    Depth 0.8125 is layer 26 of 32: it gives 24 of 30, 20 of 24 and 10 of 12.
    """
    return min(blocks, max(1, math.floor(depth * blocks + 0.5)))
