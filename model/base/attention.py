"""Attention over rows of tokens of unequal length, with a cache of keys and values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

_GROWTH = 32
# What copying a row's keys and values costs, in columns of scores.
_COPYING = 2


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens of a grid whose attention is computed together.

    Attributes:
        tokens: Numbers of the tokens: a slice, or shape ``(k,)``.
        rows: Rows of the grid they lie in, ascending: a slice, or shape ``(c,)``.
        places: Place of each token in the part laid out flat, rows after rows. Shape ``(k,)``.
        bias: Added to the scores: 0 where a token may look, else a very small number. Shape
            ``(c, w, m)``: rows, most new tokens in a row, most tokens in a row.
    """

    tokens: slice | Tensor
    rows: slice | Tensor
    places: Tensor
    bias: Tensor

    def laid_out(self, tokens: Tensor) -> Tensor:
        """``(n, heads, h)`` to ``(c, heads, w, h)``, zeros where a row has no token."""
        count, width, _ = self.bias.shape
        flat = tokens.new_zeros(count * width, *tokens.shape[1:])
        placed = flat.index_copy(0, self.places, tokens)
        return placed.view(count, width, *tokens.shape[1:]).transpose(1, 2)

    def picked(self, laid_out: Tensor) -> Tensor:
        """``(c, heads, w, h)`` to ``(n, heads * h)``: the way back."""
        count, width, _ = self.bias.shape
        flat = laid_out.transpose(1, 2).reshape(count * width, -1)  # (c * w, heads * h)
        return flat.index_select(0, self.places)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the new tokens of a pass lie; everything but attention reads them one after another.

    Attributes:
        rows: Row of each token. Shape ``(n,)``.
        slots: Its place among all tokens of its row, cached ones included. Shape ``(n,)``.
        size: Rows, and most tokens in a row.
        parts: The tokens as their attention is computed; every token is in one part.
        order: Where each token is found behind one another in the parts; None for a single part.
    """

    rows: Tensor
    slots: Tensor
    size: tuple[int, int]
    parts: tuple[Part, ...]
    order: Tensor | None = None

    @classmethod
    def of(
        cls,
        rows: Tensor,
        columns: Tensor,
        slots: Tensor,
        mask: Tensor,
        dtype: torch.dtype,
        *,
        uneven: bool = False,
    ) -> Grid:
        """A grid from a mask.

        Args:
            rows: Row of each token. Shape ``(n,)``.
            columns: Its place among the new tokens of its row. Shape ``(n,)``.
            slots: Its place among all tokens of its row. Shape ``(n,)``.
            mask: True where a token may look. Shape ``(b, w, m)``: rows, most new tokens in a row,
                most tokens in a row.
            dtype: Number type of the scores.
            uneven: Whether rows with many new tokens may be worth a part of their own; only for
                passes with a cache.
        """
        bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
        bias.masked_fill_(~mask, torch.finfo(dtype).min)
        count, width, length = mask.shape
        counts = torch.bincount(rows, minlength=count)  # (b,)
        cut = _cut(counts.tolist()) if uneven else width
        if cut == width:
            whole = Part(slice(len(rows)), slice(count), rows * width + columns, bias)
            return cls(rows, slots, (count, length), (whole,))
        near, far = (columns < cut).nonzero()[:, 0], (columns >= cut).nonzero()[:, 0]
        longer = counts > cut  # (b,)
        place = (longer.cumsum(0) - 1)[rows[far]] * (width - cut) + columns[far] - cut  # (k,)
        long = longer.nonzero()[:, 0]  # (c,)
        first = rows[near] * cut + columns[near]
        parts = (
            Part(near, slice(count), first, bias[:, :cut].contiguous()),
            Part(far, long, place, bias[long, cut:]),
        )
        return cls(rows, slots, (count, length), parts, torch.cat([near, far]).argsort())

    def followed_by(self, other: Grid) -> Grid:
        """One grid of two: the rows and the tokens of the other come after one's own."""
        count, total = self.size[0], len(self.rows)
        parts = self.parts + tuple(
            replace(part, tokens=_behind(part.tokens, total), rows=_behind(part.rows, count))
            for part in other.parts
        )
        everything = torch.arange(total + len(other.rows), device=self.rows.device)
        return Grid(
            torch.cat([self.rows, other.rows + count]),
            torch.cat([self.slots, other.slots]),
            (count + other.size[0], max(self.size[1], other.size[1])),
            parts,
            torch.cat([everything[part.tokens] for part in parts]).argsort(),
        )


def _behind(numbers: slice | Tensor, start: int) -> slice | Tensor:
    if isinstance(numbers, Tensor):
        return numbers + start
    return slice((numbers.start or 0) + start, numbers.stop + start)


def _cut(counts: list[int]) -> int:
    """After how many columns the rest of the longer rows is cheaper as a part of its own."""
    width = max(counts)

    def cost(cut: int) -> int:
        longer = sum(count > cut for count in counts)
        return cut * len(counts) + longer * (width - cut + _COPYING)

    return min(range(1, width + 1), key=cost)


class KeyValues:
    """Keys and values of the tokens read so far, for some rows.

    Memory is taken ahead, so that adding tokens or rows copies only these.

    Args:
        blocks: Number of transformer blocks.
        rows: Rows to take memory for; more are taken when they come.
        length: Tokens of a row to take memory for; more are taken when they come.
    """

    def __init__(self, blocks: int, rows: int = 0, length: int = 0) -> None:
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._cleared = [0] * blocks
        self._rows, self._length = rows, length

    def add(self, block: int, keys: Tensor, values: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Write the new keys and values of one block; returns all of the grid's rows.

        Args:
            block: Number of the block, from 0.
            keys: Shape ``(n, heads, h)``.
            values: The same shape.
            grid: Where the new tokens lie.

        Returns:
            Keys and values, each ``(b, heads, m, h)``.
        """
        count, length = grid.size
        found = []
        for buffers, new in ((self._keys, keys), (self._values, values)):
            if block == len(buffers):
                buffers.append(new.new_zeros(0, new.shape[1], 0, new.shape[2]))
            buffer = buffers[block] = self._with_room(buffers[block], count, length)
            # What is not read yet takes part in the products with a share of zero, so it must be a
            # number. Rows that are never used are not touched and take no memory.
            buffer[self._cleared[block] : count].zero_()
            buffer[grid.rows, :, grid.slots] = new
            found.append(buffer[:count, :, :length])
        self._cleared[block] = max(self._cleared[block], count)
        return found[0], found[1]

    def _with_room(self, buffer: Tensor, rows: int, length: int) -> Tensor:
        if buffer.shape[0] >= rows and buffer.shape[2] >= length:
            return buffer
        if length > self._length:
            self._length = length + _GROWTH
        self._rows = max(self._rows, rows)
        larger = buffer.new_empty(self._rows, buffer.shape[1], self._length, buffer.shape[3])
        larger[: buffer.shape[0], :, : buffer.shape[2]] = buffer
        larger[: buffer.shape[0], :, buffer.shape[2] :].zero_()
        return larger

    def move(self, sources: Tensor, targets: Tensor, length: int) -> None:
        """Copy rows over other rows.

        Args:
            sources: Rows. Shape ``(k,)``.
            targets: As many other rows.
            length: Most tokens in one of the sources.
        """
        for buffer in (*self._keys, *self._values):
            used = buffer[:, :, :length]
            taken = used.index_select(0, sources.to(buffer.device))
            used.index_copy_(0, targets.to(buffer.device), taken)


def attend(
    query: Tensor, key: Tensor, value: Tensor, grid: Grid, past: tuple[KeyValues, int] | None
) -> Tensor:
    """Softmax attention in which several query heads share a key head.

    Args:
        query: Shape ``(n, heads, h)``.
        key: Shape ``(n, key heads, h)``.
        value: The shape of ``key``.
        grid: Where the tokens lie, and what they may see.
        past: Cache and number of the block, from 0; needed for a grid of several parts.

    Returns:
        Shape ``(n, heads * h)``.
    """
    if past is None:
        (part,) = grid.parts
        return _seen(query, part.laid_out(key), part.laid_out(value), part)
    keys, values = past[0].add(past[1], key, value, grid)  # (b, key heads, m, h)
    found = []
    for part in grid.parts:
        length = part.bias.shape[2]
        own = keys[part.rows, :, :length], values[part.rows, :, :length]
        found.append(_seen(query[part.tokens], *own, part))
    return found[0] if grid.order is None else torch.cat(found).index_select(0, grid.order)


def _seen(query: Tensor, keys: Tensor, values: Tensor, part: Part) -> Tensor:
    heads, width = query.shape[1:]
    key_heads = keys.shape[1]
    scale = 1.0 / math.sqrt(width)
    queries = part.laid_out(query)  # (c, heads, w, h)
    if query.device.type == "cuda":
        seen = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=part.bias.unsqueeze(1),
            scale=scale,
            enable_gqa=heads != key_heads,
        )
        return part.picked(seen)
    # On a CPU plain products are three times faster than the fused kernel at these lengths.
    # Heads that share a key head are laid below one another: (c * key heads, group * w, h).
    count, columns, length = part.bias.shape
    folded = queries.reshape(count * key_heads, heads // key_heads * columns, width)
    scores = torch.bmm(folded, keys.reshape(count * key_heads, length, width).transpose(1, 2))
    scores = scores.view(count, heads, columns, length)
    scores = torch.add(part.bias.unsqueeze(1), scores, alpha=scale)
    shares = _shares(scores)  # (c, heads, w, m)
    seen = torch.bmm(
        shares.view(count * key_heads, -1, length),
        values.reshape(count * key_heads, length, width),
    )
    return part.picked(seen.view(count, heads, columns, width))


def _shares(scores: Tensor) -> Tensor:
    if scores.requires_grad or scores.dtype == torch.float64:
        return torch.softmax(scores, dim=-1)
    # Half-precision exponentials take a CPU twice as long; gradients would keep the wide numbers.
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
