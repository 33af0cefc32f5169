"""A few-shot baseline as a method: fit, files, loading and predictions around a recipe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.base.load import LoadedBase
from model.baselines.reading import BATCH, Reader
from model.baselines.recipe import Memory, Question, Recipe, Task
from model.baselines.settings import BaselineConfig
from model.encoding.files import AdapterContent, from_files, origin_of, to_files
from model.encoding.loop import tail_mean
from model.encoding.running import by_length, padding_of, position_limit
from model.errors import AdapterError, TrainingDataError
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, Label, LabelSet, Prediction, Span

_NETWORK, _SOURCE = "network.", "source."


@dataclass(frozen=True, slots=True)
class _Adapter:
    labels: tuple[Label, ...]
    weights: Mapping[str, Tensor]
    source: Memory
    memory: Memory


class FewShotBaseline:
    """A recipe behind :class:`model.method.NerMethod`; all weights are trained, as published.

    An adapter holds the weights of the whole network. One made by :meth:`fit_source` has no labels:
    it is what a fit starts from, and answers nothing (but for recipes to which names are enough).

    Args:
        base: An encoder of :func:`model.base.encoder.load_encoder`; this object is its only user.
        recipe: Makes the recipe for a reader.
        config: The recipe's settings.
    """

    def __init__(
        self,
        base: LoadedBase,
        recipe: Callable[[Reader, Any], Recipe],
        config: BaselineConfig,
    ) -> None:
        limit = position_limit(base.model)
        window = min(config.window, limit)
        self._base = base
        self._recipe = recipe(Reader(base.tokenizer, window, limit, padding_of(base.model)), config)
        self._lock = threading.RLock()
        self._loaded: dict[str, _Adapter] = {}
        self._original = {
            name: value.detach().clone() for name, value in base.model.state_dict().items()
        }
        self._ready: tuple[str, nn.Module] | None = None
        if config.threads is not None:
            torch.set_num_threads(config.threads)

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self._recipe.name

    @property
    def base_digest(self) -> str:
        """Digest of the encoder's tensors."""
        return self._base.digest

    def config_json(self) -> dict[str, Any]:
        """The configuration as JSON."""
        return self._recipe.config.to_json()

    def source_json(self) -> dict[str, Any]:
        """The settings that determine the source stage."""
        return self._recipe.config.source_json()

    def fresh_adapter(self, seed: int) -> Fitted:
        """An adapter without weights: a fit from it starts at the encoder, without a source."""
        return self._fitted(_Adapter((), {}, {}, {}), seed, {"steps": 0})

    def fit_source(
        self,
        corpus: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        seed: int,
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train an adapter on a large annotated corpus, for fits on support sets to start from.

        Args:
            corpus: Annotated texts.
            labels: Their labels.
            seed: Seeds everything random.
            on_step: Called after each step.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            EpisodeError: If the corpus is too small for the episodes of a recipe that has some.
            DivergedError: If the loss stops being finite.
        """
        _require_spans(corpus, labels)
        with self._lock, torch.random.fork_rng(devices=[]), torch.enable_grad():
            network = self._network(seed, {})
            network.train()
            learned = self._recipe.learn_source(network, Task(corpus, labels, seed, on_step))
            adapter = _Adapter((), _copy(network), learned.memory, {})
        return self._fitted(adapter, seed, _report(learned.losses))

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
        """Learn a support set; see :class:`model.method.NerMethod`.

        ``held_out`` is not used: nothing is calibrated.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model, or has labels already.
        """
        del held_out
        known = self._parsed(start)
        if known.labels:
            raise AdapterError(
                f"A fit of {self.name} starts from an adapter of its source stage, or from none: "
                "this one has labels already."
            )
        _require_spans(support, labels)
        task = Task(support, labels, seed, on_step)
        with self._lock, torch.random.fork_rng(devices=[]), torch.enable_grad():
            network = self._network(seed, known.weights)
            network.train()
            losses = self._recipe.learn_target(network, task)
            network.eval()
            with torch.no_grad():
                memory = self._recipe.remember(network, task, known.source)
            adapter = _Adapter(labels.labels, _copy(network), known.source, memory)
        return self._fitted(adapter, seed, _report(losses))

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make an adapter available under a name.

        Raises:
            AdapterError: If the files are damaged or belong to another encoder.
        """
        with self._lock:
            if adapter not in self._loaded:
                self._loaded[adapter] = self._parsed(files)

    def unload(self, adapter: str) -> None:
        """Forget an adapter; an unknown name is ignored."""
        with self._lock:
            self._loaded.pop(adapter, None)
            self._ready = None

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
        kept = self._loaded.get(adapter)
        if kept is None:
            raise AdapterError(f"No adapter called {adapter} is loaded.")
        fitted = LabelSet(kept.labels) if kept.labels else labels
        if not kept.labels and not self._recipe.answers_unfitted:
            return [Prediction((), 1.0) for _ in texts]
        question = Question(fitted, frozenset(labels.names))
        jobs = [
            (number, piece)
            for number, text in enumerate(texts)
            for piece in self._recipe.reader.pieces(text)
        ]
        spans: list[list[Span]] = [[] for _ in texts]
        scores = [1.0] * len(texts)
        with self._lock, torch.inference_mode():
            network = self._opened(adapter, kept)
            for part in by_length(jobs, [len(piece.ids) for _, piece in jobs], BATCH):
                pieces = [piece for _, piece in part]
                answers = self._recipe.answer(network, kept.memory, pieces, question)
                for (number, _), found in zip(part, answers, strict=True):
                    spans[number] += found.spans
                    scores[number] = min(scores[number], found.score)
        return [
            Prediction(tuple(sorted(own)), score) for own, score in zip(spans, scores, strict=True)
        ]

    def _opened(self, adapter: str, kept: _Adapter) -> nn.Module:
        if self._ready is None or self._ready[0] != adapter:
            with torch.random.fork_rng(devices=[]):
                self._ready = adapter, self._network(0, kept.weights).eval()
        return self._ready[1]

    def _network(self, seed: int, weights: Mapping[str, Tensor]) -> nn.Module:
        self._ready = None
        torch.manual_seed(seed)
        self._base.model.load_state_dict(self._original)
        network = self._recipe.network(self._base.model)
        if weights:
            try:
                network.load_state_dict(dict(weights))
            except RuntimeError as error:
                raise AdapterError(
                    f"The adapter does not fit this encoder and these settings: {error}"
                ) from error
        return network

    def _parsed(self, files: AdapterFiles) -> _Adapter:
        content = from_files(files, self.name, self._base.digest)
        try:
            labels = tuple(Label(**item) for item in content.config["labels"])
        except (KeyError, TypeError) as error:
            raise AdapterError(f"The adapter's labels are damaged: {error}") from error
        return _Adapter(
            labels,
            _below(content.weights, _NETWORK),
            _below(content.weights, _SOURCE),
            content.support,
        )

    def _fitted(self, adapter: _Adapter, seed: int, report: dict[str, Any]) -> Fitted:
        config = self.config_json()
        tensors = {f"{_NETWORK}{name}": value for name, value in adapter.weights.items()}
        tensors |= {f"{_SOURCE}{name}": value for name, value in adapter.source.items()}
        labels = LabelSet(adapter.labels).to_json() if adapter.labels else []
        origin = origin_of(self.name, self._base, config, seed)
        content = AdapterContent(tensors, {"labels": labels}, origin, support=adapter.memory)
        return Fitted(to_files(content), {**config, "seed": seed}, report)


def _require_spans(items: Sequence[AnnotatedText], labels: LabelSet) -> None:
    if not any(span.label in labels.names for item in items for span in item.spans):
        raise TrainingDataError(
            "The annotations hold no span of any label, so there is nothing to learn yet."
        )


def _report(losses: Sequence[float]) -> dict[str, Any]:
    return {"steps": len(losses), "loss": tail_mean(losses)}


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
