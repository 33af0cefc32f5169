"""The label-aware method behind the interface of all methods."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from model.base.load import LoadedBase
from model.encoding import lora
from model.encoding.files import origin_of
from model.encoding.gaussian import GaussianHead
from model.encoding.loop import tail_mean
from model.encoding.running import by_length, padding_of, position_limit
from model.encoding.schedule import batches_of
from model.encoding.tuning import TunedEncoder, Tuning
from model.encoding.words import Piece
from model.errors import AdapterError, TrainingDataError
from model.label_aware.adapter import METHOD, LabelAwareAdapter
from model.label_aware.config import LabelAwareConfig
from model.label_aware.inference import Memory, decided, label_odds, mixed_odds, nearest_odds
from model.label_aware.network import Reading, fresh_head, head_from, read
from model.label_aware.suffix import InputWriter, Row
from model.label_aware.training import (
    Objective,
    TaughtPiece,
    objective_for,
    similarities_of,
    taught,
    train,
)
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, Label, LabelSet, Prediction, Span

_BATCH = 32


class LabelAware:
    """The unified label-aware contrastive encoder (Zhang and Zhuang, arXiv:2404.17178).

    The labels stand behind the text, so the encoder reads both together. Words and labels become
    Gaussians; a word takes the label that is near, or that of the nearest word of the support set.

    Args:
        base: An encoder of :func:`model.base.encoder.load_encoder`; this object is its only user.
        config: Settings of the method.
    """

    name = METHOD

    def __init__(self, base: LoadedBase, config: LabelAwareConfig | None = None) -> None:
        self._base = base
        self._config = config or LabelAwareConfig()
        self._encoder = TunedEncoder(base.model)
        self._padding = padding_of(base.model)
        self._writer = InputWriter(base.tokenizer, self._config, position_limit(base.model))
        self._lock = threading.RLock()
        self._loaded: dict[str, LabelAwareAdapter] = {}
        if self._config.threads is not None:
            torch.set_num_threads(self._config.threads)

    @property
    def base_digest(self) -> str:
        """Digest of the encoder's tensors."""
        return self._base.digest

    @property
    def writer(self) -> InputWriter:
        """The writer of the encoder's inputs."""
        return self._writer

    def config_json(self) -> dict[str, Any]:
        """The configuration as JSON."""
        return self._config.to_json()

    def fresh_adapter(self, seed: int) -> Fitted:
        """An adapter that leaves the encoder as it is, with heads drawn at random."""
        config, network = self._config, self._base.model
        shape = config.shape
        tensors = {} if shape is None else lora.fresh_tensors(network, shape, seed)
        head = fresh_head(network.config.hidden_size, config.dimensions, seed)
        adapter = LabelAwareAdapter(Tuning(shape, tensors), head, config.distance)
        return self._fitted(adapter, seed, {"steps": 0})

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

        ``held_out`` is not used: nothing is calibrated.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
            LabelSetError: If a label is too long for the encoder.
        """
        del held_out
        groups = self._writer.groups(labels.labels)
        pieces = [piece for item in support for piece in taught(item, groups, self._writer)]
        if not any(bool(piece.tags.any()) for piece in pieces):
            raise TrainingDataError(
                "The annotations hold no span of any label, so there is nothing to learn yet."
            )
        batches = list(batches_of(pieces, self._config.schedule, seed))
        objective = objective_for(support, labels, self._config)
        with self._lock:
            adapter, report = self._trained(batches, objective, start, seed, on_step)
            if self._config.inference != "label":
                # the support is read by the weights as they are stored, rounded
                stored = self._fitted(adapter, seed, report).files
                kept = LabelAwareAdapter.parsed(stored, self._base.digest)
                memory = self._memory(kept, pieces)
                adapter = replace(adapter, names=labels.names, memory=memory)
        return self._fitted(adapter, seed, {**report, "distance": objective.distance})

    def train_on(
        self,
        batches: Sequence[Sequence[TaughtPiece]],
        *,
        start: AdapterFiles,
        seed: int,
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train on ready batches with the settings' objective: the source stage.

        Raises:
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """
        config = self._config
        objective = Objective(config.distance, config.context_weight)
        with self._lock:
            adapter, report = self._trained(batches, objective, start, seed, on_step)
        return self._fitted(adapter, seed, report)

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make an adapter available under a name; loading the same name twice is harmless.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """
        with self._lock:
            if adapter not in self._loaded:
                parsed = LabelAwareAdapter.parsed(files, self._base.digest)
                self._encoder.carry(parsed.tuning)
                self._loaded[adapter] = parsed

    def unload(self, adapter: str) -> None:
        """Forget an adapter; an unknown name is ignored."""
        with self._lock:
            self._loaded.pop(adapter, None)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order.

        Raises:
            AdapterError: If no adapter of that name is loaded.
            LabelSetError: If a label is too long for the encoder.
        """
        kept = self._loaded.get(adapter)
        if kept is None:
            raise AdapterError(f"No adapter called {adapter} is loaded.")
        groups = self._writer.groups(labels.labels)
        jobs = [
            (number, piece)
            for number, text in enumerate(texts)
            for piece in self._writer.pieces(text, groups)
        ]
        spans: list[list[Span]] = [[] for _ in texts]
        scores = [1.0] * len(texts)
        config = self._config
        with self._lock, torch.inference_mode():
            self._encoder.carry(kept.tuning)
            head = head_from(kept.head, 0.0)
            for part in by_length(jobs, [len(piece.ids) for _, piece in jobs], _BATCH):
                each = [self._odds(kept, head, [piece for _, piece in part], g) for g in groups]
                for place, (number, piece) in enumerate(part):
                    odds = torch.cat([own[place] for own in each], dim=-1)  # (w, k)
                    found, score = decided(
                        piece.words, odds, labels.names, least=config.odds, nested=config.nested
                    )
                    spans[number] += found
                    scores[number] = min(scores[number], score)
        return [
            Prediction(tuple(sorted(own)), score) for own, score in zip(spans, scores, strict=True)
        ]

    def _odds(
        self,
        kept: LabelAwareAdapter,
        head: GaussianHead,
        pieces: Sequence[Piece],
        labels: Sequence[Label],
    ) -> list[Tensor]:
        # log-odds of each label against "no label", (w, k) for each piece
        config = self._config
        reading = self._read([self._writer.row(piece, labels) for piece in pieces])
        nearest: list[Tensor] = []
        if kept.memory is not None and config.inference != "label":
            numbers = [
                kept.names.index(label.name) + 1 if label.name in kept.names else -1
                for label in labels
            ]
            every = nearest_odds(reading.words, kept.memory, numbers, config.nearest_temperature)
            nearest = list(torch.split(every, list(reading.word_counts)))
            if config.inference == "nearest":
                return nearest
        words, names = head(reading.words), head(reading.labels)
        blocks = similarities_of(reading, words, names, kept.distance, config.temperature)
        odds = [label_odds(block) for block in blocks]
        if not nearest:
            return odds
        share = config.nearest_share
        return [mixed_odds(own, near, share) for own, near in zip(odds, nearest, strict=True)]

    def _read(self, rows: Sequence[Row]) -> Reading:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._config.half):
            reading = read(self._encoder.network, rows, self._padding, self._config)
        return replace(reading, words=reading.words.float(), labels=reading.labels.float())

    def _memory(self, adapter: LabelAwareAdapter, pieces: Sequence[TaughtPiece]) -> Memory:
        vectors, tags, groups = [], [], []
        with torch.inference_mode():
            self._encoder.carry(adapter.tuning)
            for first in range(0, len(pieces), _BATCH):
                part = pieces[first : first + _BATCH]
                reading = self._read([self._writer.row(own.piece, own.labels) for own in part])
                vectors.append(F.normalize(reading.words, dim=-1))  # (w, d)
                tags += [own.tags for own in part]
                groups += [torch.full_like(own.tags, own.group) for own in part]
        memory = Memory(torch.cat(vectors), torch.cat(tags), torch.cat(groups))
        return memory.shortened(self._config.memory)

    def _trained(
        self,
        batches: Sequence[Sequence[TaughtPiece]],
        objective: Objective,
        start: AdapterFiles,
        seed: int,
        on_step: Callable[[Progress], None] | None,
    ) -> tuple[LabelAwareAdapter, dict[str, Any]]:
        began = time.monotonic()
        config = self._config
        origin = LabelAwareAdapter.parsed(start, self._base.digest)
        copied = self._encoder.trained_copy(origin.tuning, config.shape, 0.0)
        head = head_from(origin.head, config.dropout)
        losses = train(
            copied,
            head,
            batches,
            objective,
            config,
            self._writer,
            padding=self._padding,
            seed=seed,
            on_step=on_step,
        )
        report = {
            "steps": len(losses),
            "loss": tail_mean(losses),
            "seconds": time.monotonic() - began,
        }
        weights = {name: value.detach().clone() for name, value in head.state_dict().items()}
        return LabelAwareAdapter(copied.tuning(), weights, objective.distance), report

    def _fitted(self, adapter: LabelAwareAdapter, seed: int, report: dict[str, Any]) -> Fitted:
        config = self.config_json()
        origin = origin_of(self.name, self._base, config, seed)
        return Fitted(adapter.files(origin), {**config, "seed": seed}, report)
