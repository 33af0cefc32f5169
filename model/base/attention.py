"""Attention over rows of tokens of unequal length, with a cache of keys and values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_GROWTH = 32


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the new tokens of a pass lie; everything but attention reads them one after another.

    Attributes:
        rows: Row of each token. Shape ``(n,)``.
        columns: Its place among the new tokens of its row. Shape ``(n,)``.
        slots: Its place among all tokens of its row, cached ones included. Shape ``(n,)``.
        bias: Added to the scores: 0 where a token may look, else a very small number. Shape
            ``(b, w, m)``: rows, most new tokens in a row, most tokens in a row.
    """

    rows: Tensor
    columns: Tensor
    slots: Tensor
    bias: Tensor

    @classmethod
    def of(
        cls, rows: Tensor, columns: Tensor, slots: Tensor, mask: Tensor, dtype: torch.dtype
    ) -> Grid:
        """A grid from a mask that is True where a token may look. Shape ``(b, w, m)``."""
        bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
        bias.masked_fill_(~mask, torch.finfo(dtype).min)
        return cls(rows, columns, slots, bias)

    def laid_out(self, tokens: Tensor) -> Tensor:
        """``(n, heads, h)`` to ``(b, heads, w, h)``, zeros where a row has no token."""
        count, width, _ = self.bias.shape
        flat = tokens.new_zeros(count * width, *tokens.shape[1:])
        placed = flat.index_copy(0, self.rows * width + self.columns, tokens)
        return placed.view(count, width, *tokens.shape[1:]).transpose(1, 2)

    def picked(self, laid_out: Tensor) -> Tensor:
        """``(b, heads, w, h)`` to ``(n, heads * h)``: the way back."""
        count, width, _ = self.bias.shape
        flat = laid_out.transpose(1, 2).reshape(count * width, -1)  # (b * w, heads * h)
        return flat.index_select(0, self.rows * width + self.columns)


class KeyValues:
    """Keys and values of the tokens read so far, for some rows.

    Memory is taken ahead, so that adding a few tokens copies only these.

    Args:
        blocks: Number of transformer blocks.
    """

    def __init__(self, blocks: int) -> None:
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._blocks = blocks

    def add(self, block: int, keys: Tensor, values: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Write the new keys and values of one block; returns all of them.

        Args:
            block: Number of the block, from 0.
            keys: Shape ``(n, heads, h)``.
            values: The same shape.
            grid: Where the new tokens lie.

        Returns:
            Keys and values, each ``(b, heads, m, h)``.
        """
        count, _, length = grid.bias.shape
        for buffers, new in ((self._keys, keys), (self._values, values)):
            if block == len(buffers):
                buffers.append(new.new_zeros(count, new.shape[1], length + _GROWTH, new.shape[2]))
            elif buffers[block].shape[2] < length:
                buffers[block] = F.pad(
                    buffers[block], (0, 0, 0, length + _GROWTH - buffers[block].shape[2])
                )
            buffers[block][grid.rows, :, grid.slots] = new
        return self._keys[block][:, :, :length], self._values[block][:, :, :length]

    def take(self, rows: Tensor) -> KeyValues:
        """A cache with some of the rows, in the order given. Shape of ``rows``: ``(k,)``."""
        taken = KeyValues(self._blocks)
        taken._keys = [keys[rows] for keys in self._keys]
        taken._values = [values[rows] for values in self._values]
        return taken

    @staticmethod
    def joined(caches: list[KeyValues]) -> KeyValues:
        """One cache with the rows of several; shorter ones are filled up with zeros."""
        whole = KeyValues(caches[0]._blocks)
        for block in range(whole._blocks):
            whole._keys.append(_stacked([cache._keys[block] for cache in caches]))
            whole._values.append(_stacked([cache._values[block] for cache in caches]))
        return whole


def _stacked(parts: list[Tensor]) -> Tensor:
    length = max(part.shape[2] for part in parts)
    return torch.cat([F.pad(part, (0, 0, 0, length - part.shape[2])) for part in parts])


def attend(
    query: Tensor, key: Tensor, value: Tensor, grid: Grid, past: tuple[KeyValues, int] | None
) -> Tensor:
    """Softmax attention in which several query heads share a key head.

    Args:
        query: Shape ``(n, heads, h)``.
        key: Shape ``(n, key heads, h)``.
        value: The shape of ``key``.
        grid: Where the tokens lie, and what they may see.
        past: Cache and number of the block, from 0.

    Returns:
        Shape ``(n, heads * h)``.
    """
    heads, width = query.shape[1:]
    key_heads = key.shape[1]
    queries = grid.laid_out(query * (1.0 / math.sqrt(width)))  # (b, heads, w, h)
    if past is None:
        keys, values = grid.laid_out(key), grid.laid_out(value)  # (b, key heads, m, h)
    else:
        keys, values = past[0].add(past[1], key, value, grid)  # (b, key heads, m, h)
    if query.device.type == "cuda":
        seen = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=grid.bias.unsqueeze(1),
            scale=1.0,
            enable_gqa=heads != key_heads,
        )
        return grid.picked(seen)
    # On a CPU plain products are three times faster than the fused kernel at these lengths.
    # Heads that share a key head are laid below one another: (b * key heads, group * w, h).
    count, columns, length = grid.bias.shape
    folded = queries.reshape(count * key_heads, heads // key_heads * columns, width)
    scores = torch.bmm(folded, keys.reshape(count * key_heads, length, width).transpose(1, 2))
    scores = scores.view(count, heads, columns, length) + grid.bias.unsqueeze(1)
    shares = torch.softmax(scores, dim=-1)  # (b, heads, w, m)
    seen = torch.bmm(
        shares.view(count * key_heads, -1, length),
        values.reshape(count * key_heads, length, width),
    )
    return grid.picked(seen.view(count, heads, columns, width))
