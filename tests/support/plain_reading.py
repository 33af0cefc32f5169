"""Causal logits of single sequences by the product's own blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.base.attention import Grid
from model.base.decoder import Block, BlockLora, Decoder
from model.base.load import LoadedBase


def causal_grid(rows: int, length: int) -> Grid:
    """The grid of full rows in which every token sees those before it."""
    mask = torch.ones(length, length, dtype=torch.bool).tril().expand(rows, -1, -1)
    columns = torch.arange(length).repeat(rows)
    return Grid.of(
        torch.arange(rows).repeat_interleave(length), columns, columns, mask, torch.float32
    )


def plain_logits(
    base: LoadedBase,
    ids: Tensor,
    *,
    lora: Sequence[BlockLora] | None = None,
    blocks: Sequence[Block] | None = None,
) -> Tensor:
    """Logits ``(b, n, v)`` of ids ``(b, n)``."""
    rows, length = ids.shape
    reading = Decoder(base.model).run(
        ids.flatten(),
        torch.arange(length).repeat(rows),
        causal_grid(rows, length),
        lora=lora,
        blocks=blocks,
    )
    return (reading.last @ base.output_weight.T).view(rows, length, -1)
