"""States behind the blocks that a fit leaves as they are: read once, used in every pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.base.decoder import Below, BlockLora, Decoder
from model.base.load import LoadedBase
from model.base.memory import unless_short
from model.cllmfs.examples import TrainingRow, parts_of
from model.cllmfs.packing import collate, laid_out
from model.errors import OutOfMemoryError


class FrozenStates:
    """The states of training rows behind the first blocks of the base model.

    Rows are read in an order of their own, so the states do not depend on the steps.

    Args:
        base: The base model.
        decoder: Its blocks.
        lora: The LoRA of every block; that of the first ones must stay as it is.
        blocks: How many blocks the states are behind.
        rows: The rows; the same object may come several times.
        padding: Token id of the padding.
        limit: Most tokens, padding included, that are read at once.

    Raises:
        OutOfMemoryError: If not even one row at a time fits.
    """

    def __init__(
        self,
        base: LoadedBase,
        decoder: Decoder,
        lora: Sequence[BlockLora],
        blocks: int,
        rows: Sequence[TrainingRow],
        *,
        padding: int,
        limit: int,
    ) -> None:
        self._base, self._decoder, self._lora = base, decoder, lora
        self._blocks, self._padding = blocks, padding
        self._rows = {id(row): row for row in rows}  # keeps the rows, and with them their ids
        self._states: dict[int, Tensor] = {}
        for part in parts_of(list(self._rows.values()), limit):
            self._read(part)

    def of(self, rows: Sequence[TrainingRow]) -> Below:
        """The states of some of the rows, their tokens one after another, as passes read them."""
        return Below(self._blocks, torch.cat([self._states[id(row)] for row in rows]))

    def _read(self, rows: Sequence[TrainingRow]) -> None:
        states = unless_short(lambda: self._behind(rows))
        if states is None:
            if len(rows) == 1:
                raise OutOfMemoryError
            middle = len(rows) // 2
            self._read(rows[:middle])
            self._read(rows[middle:])
            return
        sizes = [len(row.pack.ids) for row in rows]
        for row, own in zip(rows, torch.split(states, sizes), strict=True):
            self._states[id(row)] = own

    def _behind(self, rows: Sequence[TrainingRow]) -> Tensor:
        batch = collate([row.pack for row in rows], padding=self._padding, device=self._base.device)
        places, grid = laid_out(batch, self._base.dtype)
        with torch.no_grad():
            below = self._decoder.states_below(
                self._blocks, batch.ids[places], batch.positions[places], grid, lora=self._lora
            )
        return below.states
