"""Running an encoder over padded rows of token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

Layers = Literal["last", "mean4", "sum4"]
"""Which states are taken: of the last layer, or mean or sum over the last four layers."""

Job = TypeVar("Job")


def padded(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Token ids and the mask of what is no padding, both of shape ``(b, n)``, int64.

    Args:
        rows: Token ids; at least one row, and none is empty.
        padding: The id behind short rows.
    """
    length = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[padding] * (length - len(row))] for row in rows])  # (b, n)
    sizes = torch.tensor([len(row) for row in rows])  # (b,)
    mask = (torch.arange(length) < sizes[:, None]).long()  # (b, n)
    return ids, mask


def states_of(
    network: Any, rows: Sequence[Sequence[int]], *, padding: int = 0, layers: Layers = "last"
) -> Tensor:
    """The states of every token. Shape ``(b, n, d)``; behind short rows they mean nothing.

    Args:
        network: The encoder, for example ``LoadedBase.model``.
        rows: Token ids of each row.
        padding: The id behind short rows; masked, so which one does not matter.
        layers: Which layers' states.
    """
    ids, mask = padded(rows, padding)
    if layers == "last":
        last: Tensor = network(input_ids=ids, attention_mask=mask).last_hidden_state
        return last
    found = network(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    top = torch.stack(found.hidden_states[-4:])  # (4, b, n, d)
    return top.mean(0) if layers == "mean4" else top.sum(0)


def padding_of(network: Any) -> int:
    """The padding id that the network's configuration names; 0 where it names none."""
    return int(network.config.pad_token_id or 0)


def position_limit(network: Any) -> int:
    """Most tokens, special ones included, that the network can read at once."""
    config = network.config
    limit = int(config.max_position_embeddings)
    # RoBERTa counts positions from behind the padding id
    return limit - padding_of(network) - 1 if config.model_type in _SHIFTED else limit


_SHIFTED = ("roberta", "xlm-roberta")


def by_length(jobs: Sequence[Job], sizes: Sequence[int], batch: int) -> Iterator[list[Job]]:
    """Groups of at most ``batch`` jobs of similar size, so that little is padding.

    Args:
        jobs: Anything.
        sizes: Tokens of each job.
        batch: Jobs in a group.
    """
    order = sorted(range(len(jobs)), key=lambda place: sizes[place])
    for first in range(0, len(order), batch):
        yield [jobs[place] for place in order[first : first + batch]]
