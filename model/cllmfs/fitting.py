"""How many tokens a training step reads at once, by the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_USED = 0.8
"""Share of the free memory that is planned with; output logits and the kernels take some too."""


@dataclass(frozen=True, slots=True)
class StepRoom:
    """How a step is read.

    Attributes:
        tokens: Most tokens, padding included, read at once; at least 1.
        checkpointing: Whether the states inside the blocks are computed a second time.
    """

    tokens: int
    checkpointing: bool


def room_for_steps(
    network: Any, number_bytes: int, free: int | None, longest: int, wanted: StepRoom
) -> StepRoom:
    """As many tokens as fit, at most those wanted; states are computed twice where that is needed.

    A token keeps ``b (18 d + 4.2 f) L`` bytes for the way back, counted on small shapes, and with
    checkpointing ``b d L`` and one block of that: ``b`` bytes a number, ``d`` the width, ``f`` the
    inner width and ``L`` the number of blocks.

    Args:
        network: The base model's ``config``.
        number_bytes: Bytes of a number in its states.
        free: Free bytes on its device; None plans as wanted.
        longest: Tokens of the longest row, which cannot be split.
        wanted: What the configuration asks for.
    """
    if free is None:
        return wanted
    width, blocks = int(network.hidden_size), int(network.num_hidden_layers)
    block = number_bytes * (18 * width + 4.2 * int(network.intermediate_size))
    usable = _USED * free
    whole = int(usable / (block * blocks))
    if not wanted.checkpointing and whole >= min(longest, wanted.tokens):
        return StepRoom(min(wanted.tokens, whole), False)
    twice = int(usable / (number_bytes * width * blocks + block))
    return StepRoom(max(1, min(wanted.tokens, twice)), True)
