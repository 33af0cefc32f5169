"""What the arithmetic of a base model costs at least on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from model.base.load import LoadedBase
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.prompt import PromptEncoder
from model.spans import LabelSet

RATE_TOKENS = 1024
_PROJECTIONS = ("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",)


@dataclass(slots=True)
class TokenCount:
    """Tokens that went into a base model; padding is never among them."""

    _passes: list[int] = field(default_factory=list)

    def add(self, tokens: int) -> None:
        """Count the tokens of a pass; passes may come from several threads."""
        self._passes.append(tokens)

    @property
    def tokens(self) -> int:
        """All of them."""
        return sum(self._passes)


@contextmanager
def counted_tokens(base: LoadedBase) -> Iterator[TokenCount]:
    """Count the tokens whose embeddings are looked up, prompts and answers alike."""
    count = TokenCount()

    def add(_layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        count.add(inputs[0].numel())

    layer: Any = base.model.get_decoder().embed_tokens
    hook = layer.register_forward_pre_hook(add)
    try:
        yield count
    finally:
        hook.remove()


def block_parameters(base: LoadedBase) -> int:
    """Weights of the linear layers inside the blocks: every token is multiplied with each once."""
    layers: Any = base.model.get_decoder().layers
    return sum(
        module.weight.numel() for module in layers.modules() if isinstance(module, nn.Linear)
    )


def product_shapes(base: LoadedBase) -> list[tuple[int, int]]:
    """Inputs and outputs of a block's products, layers that read the same input laid together."""
    layers = dict(base.model.get_decoder().layers[0].named_modules())
    shapes = []
    for names in _PROJECTIONS:
        group: list[Any] = [layers[path] for path in layers if path.rpartition(".")[2] in names]
        shapes.append((group[0].in_features, sum(layer.out_features for layer in group)))
    return shapes


def matrix_rate(
    base: LoadedBase,
    dtype: torch.dtype,
    *,
    tokens: int = RATE_TOKENS,
    rounds: int = 9,
    seconds: float = 0.1,
) -> float:
    """Operations per second of a block's products alone: the median over some rounds.

    A product of ``(n, in)`` and ``(in, out)`` is ``2 n in out`` operations.

    Args:
        base: Gives the shapes.
        dtype: Number type of the products.
        tokens: Rows of the left matrices.
        rounds: Times the products are timed.
        seconds: Least length of a round.
    """
    pairs = [
        (torch.randn(tokens, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype))
        for inputs, outputs in product_shapes(base)
    ]
    work = sum(2.0 * tokens * weight.numel() for _, weight in pairs)
    rates = []
    with torch.inference_mode():
        for number in range(rounds + 1):
            began, done = time.perf_counter(), 0
            while not done or time.perf_counter() - began < seconds:
                for states, weight in pairs:
                    nn.functional.linear(states, weight)
                done += 1
            if number:  # the first round sets the library up
                rates.append(done * work / (time.perf_counter() - began))
    return statistics.median(rates)


def prompt_tokens(
    config: CllmfsConfig, encoder: PromptEncoder, texts: Sequence[str], labels: LabelSet
) -> int:
    """Tokens of all texts and questions as a prediction reads them, without any answer."""
    prompts = [
        prompt
        for text in texts
        for window in encoder.windows(text, limit=config.window)
        for prompt in encoder.prompts(
            window,
            labels.labels,
            descriptions=config.descriptions,
            group=config.group,
            packed=config.packed,
        )
    ]
    parts = [part for p in prompts for part in (p.text.ids, *(q.ids for q in p.questions))]
    return sum(map(len, parts))
