"""Greedy answers to many questions at once, over one shared and growing key-value cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache

from model.base.load import LoadedBase
from model.cllmfs.decoding import SpanCopy
from model.cllmfs.packing import PADDING, Branch, collate, pack, tree_mask
from model.cllmfs.prompt import EncodedText, PromptEncoder, Question

# On a CPU every new shape costs set-up time; rounded lengths keep the shapes few.
_LENGTH_STEP = 16
_FEED_STEP = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One window of text and the questions asked about it."""

    text: EncodedText
    questions: tuple[Question, ...]


@dataclass(slots=True)
class _Branch:
    row: int
    number: int
    position: int
    automaton: SpanCopy
    feed: list[int] = field(default_factory=list)


def answers(base: LoadedBase, encoder: PromptEncoder, jobs: Sequence[Job]) -> list[list[SpanCopy]]:
    """Answer every question of every job with the LoRA that is active on the base model.

    Each prefix is read once. A branch then feeds the tokens it has decided on, forced ones
    included, into the same cache; the tree mask keeps the branches apart.

    Args:
        base: The base model.
        encoder: Gives markers and padding.
        jobs: At least one.

    Returns:
        For each job one finished automaton per question.
    """
    packs = [pack(job.text.ids, [Branch(item.ids) for item in job.questions]) for job in jobs]
    batch = collate(packs, padding=encoder.padding, device=base.device, multiple=_LENGTH_STEP)
    branches = [
        _Branch(row, number, len(job.text.ids) + len(question.ids), SpanCopy(job.text, encoder))
        for row, job in enumerate(jobs)
        for number, question in enumerate(job.questions)
    ]
    ends = [
        packs[branch.row].starts[branch.number]
        + len(jobs[branch.row].questions[branch.number].ids)
        - 1
        for branch in branches
    ]
    owners = batch.owners
    with torch.inference_mode():
        cache = DynamicCache(config=base.model.config)
        hidden = _forward(base, batch.ids, owners, batch.positions, cache)  # (b, n, d)
        states = hidden[[branch.row for branch in branches], ends]  # (branches, d)
        active = _decided(base, branches, states)
        while active:
            ids, new_owners, positions, ends = _feeds(active, len(jobs), encoder.padding)
            owners = torch.cat([owners, new_owners.to(base.device)], dim=1)  # (b, n + new)
            hidden = _forward(
                base, ids.to(base.device), owners, positions.to(base.device), cache
            )  # (b, new, d)
            states = hidden[[branch.row for branch in active], ends]  # (active, d)
            active = _decided(base, active, states)
    found: list[list[SpanCopy]] = [[] for _ in jobs]
    for branch in branches:
        found[branch.row].append(branch.automaton)
    return found


def _forward(
    base: LoadedBase, ids: Tensor, owners: Tensor, positions: Tensor, cache: DynamicCache
) -> Tensor:
    output = base.decoder(
        input_ids=ids,
        attention_mask=tree_mask(owners, ids.shape[1]),
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
    )
    hidden: Tensor = output.last_hidden_state
    return hidden


def _decided(base: LoadedBase, branches: Sequence[_Branch], states: Tensor) -> list[_Branch]:
    """Let every branch take its next token; returns those that still have something to decide."""
    weight = base.output_weight
    active = []
    for branch, state in zip(branches, states, strict=True):
        options = branch.automaton.options()
        if len(options) > 1:
            # Only the allowed tokens compete, so only their rows of the output layer are needed.
            logits = weight[torch.tensor(options, device=weight.device)].float() @ state.float()
            scores = torch.log_softmax(logits, dim=0)
            best = int(scores.argmax())
            branch.automaton.take(options[best], float(scores[best]))
        else:
            branch.automaton.take(options[0])
            best = 0
        branch.feed = [options[best]]
        while len(forced := branch.automaton.options()) == 1:
            branch.automaton.take(forced[0])
            branch.feed.append(forced[0])
        if not branch.automaton.done:
            active.append(branch)
    return active


def _feeds(
    branches: Sequence[_Branch], rows: int, padding: int
) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """Lay the tokens to feed into rows; returns ids, owners, positions and each branch's end."""
    ids: list[list[int]] = [[] for _ in range(rows)]
    owners: list[list[int]] = [[] for _ in range(rows)]
    positions: list[list[int]] = [[] for _ in range(rows)]
    ends = []
    for branch in branches:
        ids[branch.row] += branch.feed
        owners[branch.row] += [branch.number] * len(branch.feed)
        positions[branch.row] += range(branch.position, branch.position + len(branch.feed))
        branch.position += len(branch.feed)
        ends.append(len(ids[branch.row]) - 1)
    length = math.ceil(max(map(len, ids)) / _FEED_STEP) * _FEED_STEP
    for row in range(rows):
        missing = length - len(ids[row])
        ids[row] += [padding] * missing
        owners[row] += [PADDING] * missing
        positions[row] += [0] * missing
    return torch.tensor(ids), torch.tensor(owners), torch.tensor(positions), ends
