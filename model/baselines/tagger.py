"""Plain fine-tuning for NER: an encoder with a linear layer that tags words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.base.load import LoadedBase
from model.baselines.schedule import TaggerConfig
from model.encoding.files import AdapterContent, from_files, origin_of, to_files
from model.encoding.loop import TrainedPart, optimise, tail_mean
from model.encoding.running import padding_of, position_limit, states_of
from model.encoding.schedule import batches_of
from model.encoding.tags import spans_of, tags_of
from model.encoding.words import Piece, pieces_of
from model.errors import AdapterError, TrainingDataError
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, LabelSet, Prediction, Span

_IGNORED = -100
_PREDICT_BATCH = 32


@dataclass(frozen=True, slots=True)
class _Tuned:
    labels: tuple[str, ...]
    tensors: dict[str, Tensor]


class Tagger:
    """The encoder and a linear layer over its last states, all weights trained with BIO tags.

    The plain way (Devlin et al., NAACL 2019, section 5.3) that few-shot methods are measured
    against: nothing is known of a label but its examples. An adapter holds all weights.

    Args:
        base: An encoder of :func:`model.base.encoder.load_encoder`; this object is its only user.
        config: Settings.
    """

    name = "tagger"

    def __init__(self, base: LoadedBase, config: TaggerConfig | None = None) -> None:
        self._base = base
        self._config = config or TaggerConfig()
        self._lock = threading.RLock()
        self._loaded: dict[str, _Tuned] = {}
        self._original = _copy(base.model)
        self._window = min(self._config.window, position_limit(base.model))
        self._padding = padding_of(base.model)
        if self._config.threads is not None:
            torch.set_num_threads(self._config.threads)

    @property
    def base_digest(self) -> str:
        """Digest of the encoder's tensors."""
        return self._base.digest

    def config_json(self) -> dict[str, Any]:
        """The configuration as JSON."""
        return asdict(self._config)

    def fresh_adapter(self, seed: int) -> Fitted:
        """An adapter without labels: it answers nothing; a fit from it starts at the encoder."""
        return self._fitted((), {}, seed, {"steps": 0})

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
        """Train encoder and linear layer; see :class:`model.method.NerMethod`.

        ``held_out`` is not used: nothing is calibrated.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model, or has labels already.
        """
        del held_out
        if self._parsed(start).labels:
            raise AdapterError("The tagger starts from the encoder alone: --source-adapter none.")
        rows = [
            (piece, tags_of(piece.words, item.spans, labels.names))
            for item in support
            for piece in pieces_of(self._base.tokenizer, item.text, self._window)
        ]
        if not any(any(tags) for _, tags in rows):
            raise TrainingDataError(
                "The annotations hold no span of any label, so there is nothing to learn yet."
            )
        with self._lock, torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            self._base.model.load_state_dict(self._original)
            head = nn.Linear(self._base.model.config.hidden_size, 1 + 2 * len(labels))
            losses = self._train(head, rows, seed, on_step)
            tensors = {f"encoder.{name}": value for name, value in _copy(self._base.model).items()}
            tensors |= {f"head.{name}": value for name, value in _copy(head).items()}
        report = {"steps": len(losses), "loss": tail_mean(losses)}
        return self._fitted(labels.names, tensors, seed, report)

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

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
        tuned = self._loaded.get(adapter)
        if tuned is None:
            raise AdapterError(f"No adapter called {adapter} is loaded.")
        if not tuned.labels:
            return [Prediction((), 1.0) for _ in texts]
        jobs = [
            (number, piece)
            for number, text in enumerate(texts)
            for piece in pieces_of(self._base.tokenizer, text, self._window)
        ]
        jobs.sort(key=lambda job: len(job[1].ids))
        spans: list[list[Span]] = [[] for _ in texts]
        scores = [1.0] * len(texts)
        with self._lock, torch.inference_mode():
            head = self._put_in(tuned)
            for first in range(0, len(jobs), _PREDICT_BATCH):
                part = jobs[first : first + _PREDICT_BATCH]
                shares = self._logits(head, [piece for _, piece in part]).softmax(-1)  # (b, n, t)
                for (number, piece), own in zip(part, shares, strict=True):
                    best = own[list(piece.firsts)].max(-1)  # (w,)
                    found = best.values.tolist()
                    spans[number] += spans_of(
                        piece.words, best.indices.tolist(), found, tuned.labels
                    )
                    scores[number] = min(scores[number], *found)
        return [
            Prediction(tuple(sorted(s for s in own if s.label in labels.names)), score)
            for own, score in zip(spans, scores, strict=True)
        ]

    def _train(
        self,
        head: nn.Linear,
        rows: Sequence[tuple[Piece, list[int]]],
        seed: int,
        on_step: Callable[[Progress], None] | None,
    ) -> list[float]:
        config, network = self._config, self._base.model
        parts = [
            TrainedPart(list(network.parameters()), config.rate),
            TrainedPart(list(head.parameters()), config.head_rate),
        ]

        def loss_of(part: Sequence[tuple[Piece, list[int]]]) -> Tensor:
            logits = self._logits(head, [piece for piece, _ in part])  # (b, n, t)
            targets = torch.full(logits.shape[:2], _IGNORED)  # (b, n)
            for row, (piece, tags) in enumerate(part):
                targets[row, list(piece.firsts)] = torch.tensor(tags)
            return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

        network.train()
        try:
            return optimise(
                parts,
                list(batches_of(rows, config.schedule, seed)),
                loss_of,
                decay=config.decay,
                warmup=config.warmup,
                clip=config.clip,
                on_step=on_step,
            )
        finally:
            network.eval()

    def _logits(self, head: nn.Linear, pieces: Sequence[Piece]) -> Tensor:
        rows = [piece.ids for piece in pieces]
        states = states_of(self._base.model, rows, padding=self._padding)  # (b, n, d)
        logits: Tensor = head(states)  # (b, n, t)
        return logits

    def _put_in(self, tuned: _Tuned) -> nn.Linear:
        own: dict[str, dict[str, Tensor]] = {"encoder.": {}, "head.": {}}
        for name, tensor in tuned.tensors.items():
            part = "encoder." if name.startswith("encoder.") else "head."
            own[part][name.removeprefix(part)] = tensor
        self._base.model.load_state_dict(own["encoder."])
        head = nn.Linear(self._base.model.config.hidden_size, 1 + 2 * len(tuned.labels))
        head.load_state_dict(own["head."])
        return head

    def _parsed(self, files: AdapterFiles) -> _Tuned:
        content = from_files(files, self.name, self._base.digest)
        try:
            return _Tuned(tuple(content.config["labels"]), dict(content.weights))
        except (KeyError, TypeError) as error:
            raise AdapterError(f"The tagger's files are damaged: {error}") from error

    def _fitted(
        self,
        labels: Sequence[str],
        tensors: dict[str, Tensor],
        seed: int,
        report: dict[str, Any],
    ) -> Fitted:
        config = self.config_json()
        origin = origin_of(self.name, self._base, config, seed)
        content = AdapterContent(tensors, {"labels": list(labels), "tags": "BIO"}, origin)
        return Fitted(to_files(content), {**config, "seed": seed}, report)


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
