"""CLLMFS behind the interface of all methods."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from model.base.decoder import Decoder
from model.base.load import LoadedBase
from model.cllmfs import lora
from model.cllmfs.asking import Asker
from model.cllmfs.calibration import Calibration
from model.cllmfs.checkpoint import Checkpoint
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Losses, TrainingRow, training_rows
from model.cllmfs.interpolation import CHARACTERS_READ, TEXTS_READ, interpolated, share_kept
from model.cllmfs.loaded import LoadedAdapters
from model.cllmfs.lora import Adapter, LoraShape
from model.cllmfs.lora_blocks import TrainedLora
from model.cllmfs.outcome import Answer, calibrated, calibration_report
from model.cllmfs.prompt import PromptEncoder
from model.cllmfs.schedule import few_shot_batches, run_report
from model.cllmfs.training import train
from model.errors import TrainingDataError
from model.evaluation.metrics import score
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, LabelSet, Prediction

_FITTED, _START = "just fitted", "the start"
_HELD_OUT_AT_ONCE = 16


class Cllmfs:
    """CLLMFS on one base model; its methods may be called from several threads.

    Args:
        base: The base model; this object rearranges its layers and must be its only user.
        config: Settings of the method.

    Raises:
        BaseModelError: If the base model is of an architecture that is not known.
    """

    name = lora.METHOD

    def __init__(self, base: LoadedBase, config: CllmfsConfig | None = None) -> None:
        self._base = base
        self._config = config or CllmfsConfig()
        self._decoder = Decoder(base.model)
        self._encoder = PromptEncoder(base.tokenizer, self._config.row_format)
        self._lock = threading.RLock()
        self._adapters = LoadedAdapters(base, self._decoder)
        self._asker = Asker(base, self._decoder, self._encoder, self._adapters, self._config)
        if self._config.threads is not None:
            torch.set_num_threads(self._config.threads)

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors."""
        return self._base.digest

    @property
    def encoder(self) -> PromptEncoder:
        """The encoder of texts and questions."""
        return self._encoder

    def config_json(self) -> dict[str, Any]:
        """The configuration as JSON."""
        return self._config.to_json()

    def fresh_adapter(self, seed: int) -> Fitted:
        """An adapter that changes nothing yet: A drawn at random, B = 0."""
        config = self._config
        shape = LoraShape(config.rank, config.alpha, tuple(sorted(config.modules)))
        generator = torch.Generator().manual_seed(seed)
        tensors = {name: torch.zeros(size) for name, size in self._adapters.matrices(shape).items()}
        for name, tensor in tensors.items():
            if name.endswith("lora_A.weight"):
                nn.init.kaiming_uniform_(tensor, a=math.sqrt(5), generator=generator)
        return self._fitted(shape, tensors, seed, {"steps": 0})

    def fit(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText] = (),
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train a new adapter from a copy of ``start``; see :class:`model.method.NerMethod`.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """
        counts = Losses()
        draw = random.Random(seed)
        texts = [self.rows(item, labels, counts, draw) for item in support]
        if counts.spans - counts.crossing <= 0:
            raise TrainingDataError(
                "The annotations hold no span of any label, so there is nothing to learn yet."
            )
        kept = self._kept(support, labels, start, seed)
        batches = few_shot_batches(texts, self._config, seed)
        fitted = self.train_on(batches, counts, start=start, seed=seed, kept=kept, on_step=on_step)
        return self._calibrated(fitted, held_out, labels, on_step) if held_out else fitted

    def train_on(
        self,
        batches: Sequence[Sequence[TrainingRow]],
        counts: Losses,
        *,
        start: AdapterFiles,
        seed: int,
        kept: float = 0.0,
        checkpoint: Checkpoint | None = None,
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train on ready rows; what :meth:`fit` and the source stage share.

        ``kept`` is the share of the start's weights in the result.

        Raises:
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """
        began = time.monotonic()
        origin = self._adapters.parsed(start)
        with self._lock:
            trained = TrainedLora(
                self._decoder,
                origin.shape,
                origin.tensors,
                share=self._config.trained_share,
                dtype=self._base.dtype,
                device=self._base.device,
            )
            history = train(
                self._base,
                self._decoder,
                trained,
                batches,
                self._config,
                padding=self._encoder.padding,
                seed=seed,
                checkpoint=checkpoint,
                on_step=on_step,
            )
            tensors = interpolated(origin.tensors, trained.tensors(), kept)
        report = {**run_report(history, counts, time.monotonic() - began), "kept": kept}
        return self._fitted(origin.shape, tensors, seed, report)

    def _kept(
        self, support: Sequence[AnnotatedText], labels: LabelSet, start: AdapterFiles, seed: int
    ) -> float:
        trust = self._config.trust
        if trust == 0:
            return 0.0
        drawn = random.Random(seed).sample(support, min(len(support), TEXTS_READ))
        # Long texts count for several, so that this stays short beside the training.
        ends = itertools.accumulate(len(item.text) for item in drawn)
        read = [item for item, end in zip(drawn, ends, strict=True) if end <= CHARACTERS_READ]
        texts = [item.text for item in read]
        with self._lock:
            self._adapters.load(_START, start)
            try:
                found = self._asker.predictions(
                    len(texts), self._asker.answers(texts, labels, _START), Calibration()
                )
            finally:
                self._adapters.unload(_START)
        gold = [[s for s in item.spans if s.label in labels.names] for item in read]
        f1 = score(texts, gold, [one.spans for one in found]).micro.f1
        return share_kept(f1, len(support), trust)

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make an adapter available under a name; loading the same name twice is harmless.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """
        with self._lock:
            self._adapters.load(adapter, files)

    def unload(self, adapter: str) -> None:
        """Forget an adapter; an unknown name is ignored."""
        with self._lock:
            self._adapters.unload(adapter)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
        with self._lock:
            calibration = self._adapters.calibration(adapter)
            found = self._asker.answers(texts, labels, adapter)
        return self._asker.predictions(len(texts), found, calibration)

    def _calibrated(
        self,
        fitted: Fitted,
        held_out: Sequence[AnnotatedText],
        labels: LabelSet,
        on_step: Callable[[Progress], None] | None,
    ) -> Fitted:
        texts = [item.text for item in held_out]
        steps, loss = int(fitted.report["steps"]), float(fitted.report["loss"])
        found: list[Answer] = []
        with self._lock:
            self._adapters.load(_FITTED, fitted.files)
            try:
                for first in range(0, len(texts), _HELD_OUT_AT_ONCE):
                    part = texts[first : first + _HELD_OUT_AT_ONCE]
                    answered = self._asker.answers(part, labels, _FITTED)
                    found += [replace(answer, text=answer.text + first) for answer in answered]
                    if on_step is not None:
                        on_step(Progress(steps, steps, loss))  # the run is still alive
            finally:
                self._adapters.unload(_FITTED)
        raw = self._asker.predictions(len(texts), found, Calibration())
        calibration = calibrated(found, raw, held_out)
        return replace(
            fitted,
            files=lora.with_calibration(fitted.files, calibration.to_json()),
            report={**fitted.report, **calibration_report(raw, held_out, calibration)},
        )

    def rows(
        self, item: AnnotatedText, labels: LabelSet, counts: Losses, draw: random.Random
    ) -> list[TrainingRow]:
        """The training rows of one text, as the configuration wants them.

        Args:
            item: The text with its spans.
            labels: What is asked of it.
            counts: Added to.
            draw: Chooses absent questions where not all are kept.
        """
        config = self._config
        return training_rows(
            item,
            labels.labels,
            self._encoder,
            counts,
            window=config.window,
            group=config.group,
            absent_weight=config.absent_weight,
            descriptions=config.descriptions,
            packed=config.packed,
            contrast=config.contrast,
            loss_on=config.loss_on,
            reuse_words=config.reuse_words,
            absent_share=config.absent_share,
            draw=draw,
        )

    def _fitted(
        self, shape: LoraShape, tensors: dict[str, torch.Tensor], seed: int, report: dict[str, Any]
    ) -> Fitted:
        config = {**self._config.to_json(), "seed": seed}
        origin = {
            "method": self.name,
            "base": self._base.name,
            "base_digest": self._base.digest,
            "config": self._config.to_json(),
            "seed": seed,
        }
        files = lora.to_files(Adapter(shape, tensors, origin), self._base.name)
        return Fitted(files, config, report)
