"""CLLMFS behind the interface of all methods."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from model.base.load import LoadedBase
from model.cllmfs import lora
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.decoding import SpanCopy
from model.cllmfs.examples import Losses, TrainingRow, training_rows
from model.cllmfs.lora import Adapter, LoraShape
from model.cllmfs.overlaps import without_overlaps
from model.cllmfs.prediction import Job, answers
from model.cllmfs.prompt import EncodedText, PromptEncoder
from model.cllmfs.training import StepLosses, summary, train
from model.errors import AdapterError, TrainingDataError
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, LabelSet, Prediction, Span

_TRAINED = "in_training"


class Cllmfs:
    """CLLMFS on one base model; its methods may be called from several threads.

    Args:
        base: The base model; this object changes its layers and must be its only user.
        config: Settings of the method.
    """

    name = lora.METHOD

    def __init__(self, base: LoadedBase, config: CllmfsConfig | None = None) -> None:
        self._base = base
        self._config = config or CllmfsConfig()
        self._encoder = PromptEncoder(base.tokenizer)
        self._lock = threading.RLock()
        self._loaded: dict[str, str] = {}
        self._numbers = itertools.count()
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
        with self._lock:
            lora.attach(self._base.model, _TRAINED, shape)
            tensors = {
                name: torch.zeros(parameter.shape)
                for name, parameter in lora.matrices(self._base.model, _TRAINED).items()
            }
            lora.detach(self._base.model, _TRAINED)
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
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train a new adapter from a copy of ``start``; see :class:`model.method.NerMethod`.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """
        counts = Losses()
        texts = [self._rows(item, labels, counts) for item in support]
        if counts.spans - counts.crossing <= 0:
            raise TrainingDataError(
                "The annotations hold no span of any label, so there is nothing to learn yet."
            )
        batches = few_shot_batches([row for rows in texts for row in rows], self._config, seed)
        return self.train_on(batches, counts, start=start, seed=seed, on_step=on_step)

    def train_on(
        self,
        batches: Sequence[Sequence[TrainingRow]],
        counts: Losses,
        *,
        start: AdapterFiles,
        seed: int,
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train on ready rows; what :meth:`fit` and the source stage share.

        Raises:
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """
        began = time.monotonic()
        origin = lora.from_files(start, self._base.digest)
        with self._lock:
            try:
                lora.attach(self._base.model, _TRAINED, origin.shape)
                lora.write_matrices(self._base.model, _TRAINED, origin.tensors)
                history = train(
                    self._base,
                    _TRAINED,
                    batches,
                    self._config,
                    padding=self._encoder.padding,
                    seed=seed,
                    on_step=on_step,
                )
                tensors = {
                    name: parameter.detach().cpu().clone()
                    for name, parameter in lora.matrices(self._base.model, _TRAINED).items()
                }
            finally:
                lora.detach(self._base.model, _TRAINED)
        report = _report(history, counts, time.monotonic() - began)
        return self._fitted(origin.shape, tensors, seed, report)

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make an adapter available under a name; loading the same name twice is harmless.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """
        parsed = lora.from_files(files, self._base.digest)
        with self._lock:
            if adapter in self._loaded:
                return
            # Names of modules must not hold dots, and callers' names may.
            inner = f"adapter_{next(self._numbers)}"
            lora.attach(self._base.model, inner, parsed.shape)
            try:
                lora.write_matrices(self._base.model, inner, parsed.tensors)
            except AdapterError:
                lora.detach(self._base.model, inner)
                raise
            self._loaded[adapter] = inner

    def unload(self, adapter: str) -> None:
        """Forget an adapter; an unknown name is ignored."""
        with self._lock:
            inner = self._loaded.pop(adapter, None)
            if inner is not None:
                lora.detach(self._base.model, inner)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
        config = self._config
        questions = [self._encoder.question(x, descriptions=config.descriptions) for x in labels]
        jobs: list[tuple[int, int, Job]] = []
        for number, text in enumerate(texts):
            for window in self._encoder.windows(text, limit=config.window):
                for first in range(0, len(questions), config.group):
                    part = tuple(questions[first : first + config.group])
                    jobs.append((number, first, Job(window, part)))
        # Texts of similar length share a batch, so that little is padded.
        jobs.sort(key=lambda job: len(job[2].text.ids))
        spans: list[list[Span]] = [[] for _ in texts]
        scores = [1.0] * len(texts)
        for first in range(0, len(jobs), config.predict_batch):
            part_jobs = jobs[first : first + config.predict_batch]
            for (number, label, job), found in zip(
                part_jobs, self._answers(adapter, [job for _, _, job in part_jobs]), strict=True
            ):
                for offset, automaton in enumerate(found):
                    name = labels.labels[label + offset].name
                    spans[number] += _spans(job.text, automaton, name)
                    scores[number] = min(scores[number], _certainty(automaton))
        settle = sorted if config.overlaps else without_overlaps
        return [
            Prediction(tuple(settle(own)), score) for own, score in zip(spans, scores, strict=True)
        ]

    def _answers(self, adapter: str, jobs: Sequence[Job]) -> list[list[SpanCopy]]:
        with self._lock:
            inner = self._loaded.get(adapter)
            if inner is None:
                raise AdapterError(f"No adapter called {adapter} is loaded.")
            lora.activate(self._base.model, inner)
            return answers(self._base, self._encoder, jobs)

    def _rows(self, item: AnnotatedText, labels: LabelSet, counts: Losses) -> list[TrainingRow]:
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


def few_shot_batches(
    rows: Sequence[TrainingRow], config: CllmfsConfig, seed: int
) -> list[list[TrainingRow]]:
    """The rows of every step: whole passes in random order, until the number of steps is right.

    Args:
        rows: At least one.
        config: Gives batch size, passes and bounds on the steps.
        seed: Seeds the order.
    """
    per_pass = math.ceil(len(rows) / config.batch)
    steps = min(config.max_steps, max(config.min_steps, config.epochs * per_pass))
    order = random.Random(seed)
    batches: list[list[TrainingRow]] = []
    while len(batches) < steps:
        shuffled = order.sample(list(rows), len(rows))
        batches += [
            shuffled[first : first + config.batch] for first in range(0, len(rows), config.batch)
        ]
    return batches[:steps]


def _spans(text: EncodedText, automaton: SpanCopy, label: str) -> list[Span]:
    return [
        Span(
            text.words[mention.first].start,
            text.words[mention.last - 1].end,
            label,
            mention.confidence,
        )
        for mention in automaton.mentions
    ]


def _certainty(automaton: SpanCopy) -> float:
    confidences = [mention.confidence for mention in automaton.mentions]
    return min(confidences) if confidences else automaton.absence


def _report(history: Sequence[StepLosses], counts: Losses, seconds: float) -> dict[str, Any]:
    return {
        **summary(history),
        "seconds": seconds,
        "spans": counts.spans,
        "spans_not_representable": counts.crossing,
        "mentions_without_negative": counts.lonely,
    }
