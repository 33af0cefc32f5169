"""Full fine-tuning of a base model's blocks, to compare LoRA with; not a method of the product."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from model.base.decoder import Block, Decoder, Group
from model.base.load import LoadedBase
from model.base.merging import merged
from model.cllmfs import lora
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Losses, TrainingRow, parts_of
from model.cllmfs.gradients import backward
from model.cllmfs.lora_blocks import block_loras
from model.cllmfs.method import Cllmfs
from model.cllmfs.objective import objective, share_of_step
from model.cllmfs.schedule import few_shot_batches
from model.cllmfs.training import pull_back, rate_share, update
from model.errors import AdapterError, TrainingDataError
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, LabelSet, Prediction

_NAME = "full_tuning"


class FullTuning:
    """CLLMFS with all linear layers of the blocks trained instead of a LoRA beside them.

    Rows, losses, batches, schedule and pull are those of CLLMFS; norms, embeddings and the output
    layer stay as they are. The start is a LoRA, added into the weights. An adapter holds the
    weights of all blocks, so it is as large as they are.

    Args:
        base: The base model; this object is its only user.
        config: Settings of CLLMFS; ``rank``, ``alpha`` and ``dropout`` have no meaning here.
    """

    name = _NAME

    def __init__(self, base: LoadedBase, config: CllmfsConfig) -> None:
        self._base, self._config = base, config
        # a decoder whose weights are copies: what is written into the layers later leaves it alone
        self._original = Decoder(base.model)
        copies = [_weight(group).clone() for group in _groups(self._original.blocks)]
        self._original.blocks = _with_weights(self._original.blocks, copies)
        self.plain = Cllmfs(base, config)
        self._loaded: dict[str, AdapterFiles] = {}

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors."""
        return self._base.digest

    def config_json(self) -> dict[str, Any]:
        """The configuration as JSON."""
        return self._config.to_json()

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
        """Train all weights of the blocks; see :class:`model.method.NerMethod`.

        Raises:
            TrainingDataError: If no text holds a span of a label.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` is not a LoRA for this base model.
        """
        if held_out:
            raise TrainingDataError("Full fine-tuning calibrates nothing on held-out texts.")
        began = time.monotonic()
        counts = Losses()
        draw = random.Random(seed)
        texts = [self.plain.rows(item, labels, counts, draw) for item in support]
        if counts.spans - counts.crossing <= 0:
            raise TrainingDataError(
                "The annotations hold no span of any label, so there is nothing to learn yet."
            )
        blocks = self._started(start)
        weights = [
            nn.Parameter(_weight(group).float()) for block in blocks for group in block.groups
        ]
        losses = self._train(blocks, weights, texts, seed, on_step)
        tensors = {
            group.paths[0]: weight.detach().to(self._base.dtype)
            for group, weight in zip(_groups(blocks), weights, strict=True)
        }
        tail = losses[-max(1, len(losses) // 10) :]
        report = {
            "steps": len(losses),
            "loss": sum(tail) / len(tail),
            "seconds": time.monotonic() - began,
            "spans": counts.spans,
        }
        origin = {"method": _NAME, "base_digest": self.base_digest, "seed": seed}
        files = {
            lora.WEIGHTS_FILE: save_tensors(tensors),
            lora.ORIGIN_FILE: json.dumps(origin, sort_keys=True).encode(),
        }
        return Fitted(files, {**self.config_json(), "seed": seed}, report)

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make weights, or a LoRA, available under a name.

        Raises:
            AdapterError: If the files belong to another base model.
        """
        origin = json.loads(files[lora.ORIGIN_FILE])
        if origin.get("base_digest") != self.base_digest:
            raise AdapterError("These weights were made for another base model.")
        self._loaded[adapter] = files

    def unload(self, adapter: str) -> None:
        """Forget an adapter; an unknown name is ignored."""
        self._loaded.pop(adapter, None)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order; the weights are put in and taken out again.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
        files = self._loaded.get(adapter)
        if files is None:
            raise AdapterError(f"No adapter called {adapter} is loaded.")
        tuned = json.loads(files[lora.ORIGIN_FILE])["method"] == _NAME
        neutral = self.plain.fresh_adapter(0).files if tuned else files
        try:
            if tuned:
                self._put_in(load_tensors(files[lora.WEIGHTS_FILE]))
            self.plain.load(adapter, neutral)
            return self.plain.predict(texts, labels, adapter=adapter)
        finally:
            self.plain.unload(adapter)
            if tuned:
                originals = _groups(self._original.blocks)
                self._put_in({group.paths[0]: _weight(group) for group in originals})

    def _started(self, start: AdapterFiles) -> list[Block]:
        adapter = lora.from_files(start, self.base_digest)
        own = block_loras(
            self._original,
            adapter.shape,
            adapter.tensors,
            dtype=self._base.dtype,
            device=self._base.device,
        )
        return [merged(block, part) for block, part in zip(self._original.blocks, own, strict=True)]

    def _train(
        self,
        blocks: Sequence[Block],
        weights: Sequence[nn.Parameter],
        texts: Sequence[Sequence[TrainingRow]],
        seed: int,
        on_step: Callable[[Progress], None] | None,
    ) -> list[float]:
        config = self._config
        origin = [weight.detach().clone() for weight in weights]
        optimiser = torch.optim.AdamW(weights, lr=config.rate, weight_decay=0.0)
        noise = torch.Generator().manual_seed(seed)
        batches = few_shot_batches(texts, config, seed)
        losses: list[float] = []
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            for step, part in enumerate(batches, start=1):
                rate = config.rate * rate_share(step, len(batches), config.warmup)
                optimiser.zero_grad()
                losses.append(self._gradients(blocks, weights, part, noise))
                update(weights, optimiser, rate, config.clip)
                pull_back(weights, origin, rate * config.pull)
                if on_step is not None:
                    on_step(Progress(step, len(batches), losses[-1]))
        return losses

    def _gradients(
        self,
        blocks: Sequence[Block],
        weights: Sequence[nn.Parameter],
        rows: Sequence[TrainingRow],
        noise: torch.Generator,
    ) -> float:
        config = self._config
        found = 0.0
        for part in parts_of(rows, config.batch_tokens):
            # the pass reads copies in the base model's number type; gradients go to float32
            read = [weight.to(self._base.dtype) for weight in weights]
            decoder = copy.copy(self._original)
            decoder.blocks = _with_weights(blocks, read)
            own = objective(
                self._base,
                decoder,
                None,
                part,
                config,
                padding=self.plain.encoder.padding,
                noise=noise,
            )
            found += backward(share_of_step(own, part, rows, config), config)
        return found

    def _put_in(self, tensors: dict[str, Tensor]) -> None:
        """Write the weights of all groups into the layers of the base model, in place."""
        with torch.no_grad():
            for group in _groups(self._original.blocks):
                parts = torch.split(tensors[group.paths[0]], list(group.sizes))
                for path, part in zip(group.paths, parts, strict=True):
                    self._base.model.get_submodule(path).weight.copy_(part)


def _groups(blocks: Sequence[Block]) -> list[Group]:
    return [group for block in blocks for group in block.groups]


def _weight(group: Group) -> Tensor:
    if group.weight is None:
        raise AdapterError("Quantised weights cannot be fine-tuned.")
    return group.weight.detach()


def _with_weights(blocks: Sequence[Block], weights: Sequence[Tensor]) -> tuple[Block, ...]:
    left = iter(weights)
    changed = []
    for block in blocks:
        first, second, third, fourth = (replace(group, weight=next(left)) for group in block.groups)
        changed.append(replace(block, groups=(first, second, third, fourth)))
    return tuple(changed)
