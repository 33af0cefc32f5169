"""Tree packing: one prefix and several branches in one sequence, none of which sees another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.base.attention import Grid

IGNORED = -100
PREFIX, PADDING = -1, -2


@dataclass(frozen=True, slots=True)
class Branch:
    """A question with its answer; the answer is empty when predicting."""

    question: tuple[int, ...]
    answer: tuple[int, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pack:
    """One packed sequence.

    Attributes:
        ids: Token ids. Length n.
        owners: For each token the number of its branch, or ``PREFIX``.
        positions: For each token its position; every branch starts where the prefix ends.
        targets: For each token the id that follows it and is to be learned, or ``IGNORED``.
        weights: For each token the weight of its target.
        starts: For each branch the index of its first token.
    """

    ids: tuple[int, ...]
    owners: tuple[int, ...]
    positions: tuple[int, ...]
    targets: tuple[int, ...]
    weights: tuple[float, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Packs padded to one length.

    Attributes:
        ids: Shape ``(b, n)``, int64.
        owners: Shape ``(b, n)``, int64.
        positions: Shape ``(b, n)``, int64.
        targets: Shape ``(b, n)``, int64.
        weights: Shape ``(b, n)``, float.
    """

    ids: Tensor
    owners: Tensor
    positions: Tensor
    targets: Tensor
    weights: Tensor


def pack(prefix: Sequence[int], branches: Sequence[Branch], *, whole: bool = False) -> Pack:
    """Put a prefix and its branches into one sequence.

    Args:
        prefix: What all branches share.
        branches: Questions, each with its answer.
        whole: Whether prefix and questions are learned too, not the answers alone. A token of the
            prefix weighs as much as all branches together, as it would in a row per branch. The
            prefix' last token has no target: a different question follows in every branch.
    """
    ids = list(prefix)
    owners = [PREFIX] * len(ids)
    positions = list(range(len(ids)))
    targets = [IGNORED] * len(ids)
    weights = [0.0] * len(ids)
    if whole:
        targets[:-1] = ids[1:]
        weights[:-1] = [sum(branch.weight for branch in branches)] * (len(ids) - 1)
    starts = []
    for number, branch in enumerate(branches):
        row = [*branch.question, *branch.answer]
        starts.append(len(ids))
        ids += row
        owners += [number] * len(row)
        positions += range(len(prefix), len(prefix) + len(row))
        # Each answer token is predicted from the token before it; the last one predicts nothing,
        # for what follows in memory is another branch.
        asked = branch.question[1:]
        ahead = [*(asked if whole else [IGNORED] * len(asked)), *branch.answer]
        targets += [*ahead, IGNORED][: len(row)]
        weights += [branch.weight] * len(row)
    return Pack(
        tuple(ids), tuple(owners), tuple(positions), tuple(targets), tuple(weights), tuple(starts)
    )


def collate(packs: Sequence[Pack], *, padding: int, device: torch.device) -> Batch:
    """Pad packs to one length and stack them.

    Args:
        packs: At least one pack.
        padding: Token id of the padding.
        device: Where the tensors go.
    """
    length = max(len(item.ids) for item in packs)

    def stacked(rows: list[Sequence[float]], fill: float, dtype: torch.dtype) -> Tensor:
        padded = [[*row, *[fill] * (length - len(row))] for row in rows]
        return torch.tensor(padded, dtype=dtype, device=device)

    return Batch(
        ids=stacked([item.ids for item in packs], padding, torch.long),
        owners=stacked([item.owners for item in packs], PADDING, torch.long),
        positions=stacked([item.positions for item in packs], 0, torch.long),
        targets=stacked([item.targets for item in packs], IGNORED, torch.long),
        weights=stacked([item.weights for item in packs], 0.0, torch.float),
    )


def laid_out(batch: Batch, dtype: torch.dtype) -> tuple[tuple[Tensor, Tensor], Grid]:
    """Where the tokens of padded packs are, and what each may see.

    Args:
        batch: The packs.
        dtype: Number type of the attention's scores.

    Returns:
        Row and column of every token that is no padding, each of shape ``(n,)``, and their grid.
    """
    mask = tree_mask(batch.owners, batch.ids.shape[1]).squeeze(1)  # (b, w, w)
    rows, columns = (batch.owners != PADDING).nonzero(as_tuple=True)
    return (rows, columns), Grid.of(rows, columns, columns, mask, dtype)


def tree_mask(owners: Tensor, new: int) -> Tensor:
    """Which tokens the last ``new`` tokens may see.

    A token sees itself, the prefix before it and the earlier tokens of its own branch. A padding
    token sees itself alone, so that no softmax row is empty, and nobody sees it.

    Args:
        owners: Branch numbers, ``PREFIX`` or ``PADDING``. Shape ``(b, n)``.
        new: Number of query tokens at the end, 1 to n.

    Returns:
        True where a query may look. Shape ``(b, 1, new, n)``, bool.
    """
    length = owners.shape[1]
    index = torch.arange(length, device=owners.device)
    queries = owners[:, length - new :, None]  # (b, new, 1)
    keys = owners[:, None, :]  # (b, 1, n)
    behind = index[None, :] <= index[length - new :, None]  # (new, n)
    itself = index[None, :] == index[length - new :, None]  # (new, n)
    related = (keys == PREFIX) | (keys == queries)  # (b, new, n)
    seen = related & behind & (queries != PADDING)
    return (seen | itself).unsqueeze(1)  # (b, 1, new, n)


def branch_mask(
    owners: Sequence[Sequence[int]], rows: Tensor, columns: Tensor, slots: Tensor, width: int
) -> Tensor:
    """Which tokens some new tokens may see, by the rule of :func:`tree_mask`.

    Args:
        owners: For each row the branch of each of its tokens, or ``PREFIX``.
        rows: Row of each new token. Shape ``(n,)``.
        columns: Its place among the new tokens of its row. Shape ``(n,)``.
        slots: Its place among all tokens of its row. Shape ``(n,)``.
        width: Most new tokens in a row.

    Returns:
        True where a token may look; a place without a token sees nothing. Shape ``(b, width, m)``
        with ``m`` = most tokens in a row, bool.
    """
    length = max(map(len, owners))
    keys = torch.tensor([[*own, *[PADDING] * (length - len(own))] for own in owners])  # (b, m)
    queries = torch.full((len(owners), width), PADDING)  # (b, w)
    places = torch.full((len(owners), width), -1)  # (b, w)
    queries[rows, columns] = keys[rows, slots]
    places[rows, columns] = slots
    related = (keys[:, None] == PREFIX) | (keys[:, None] == queries[:, :, None])  # (b, w, m)
    return related & (torch.arange(length) <= places[:, :, None])
