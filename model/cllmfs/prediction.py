"""Answers to many questions at once, over shared and growing key-value caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.base.attention import Grid, KeyValues
from model.base.decoder import Block, BlockLora, Decoder
from model.cllmfs.choosing import Chooser
from model.cllmfs.decoding import AnswerAutomaton
from model.cllmfs.packing import Branch, branch_mask, pack
from model.cllmfs.prompt import Prompt

_PREFILL_TOKENS = 2048
_DECODED_ROWS = 64


@dataclass(slots=True)
class _Open:
    """A branch whose answer is not complete."""

    row: int
    number: int
    position: int
    automaton: AnswerAutomaton
    feed: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Wave:
    """Rows that are decoded together: the branch of each of their tokens, and what is open.

    Branches are in the order of their rows.
    """

    cache: KeyValues
    owners: list[list[int]]
    branches: list[_Open]

    @property
    def busy(self) -> int:
        """Rows with open branches."""
        return len({branch.row for branch in self.branches})


@dataclass(frozen=True, slots=True)
class Reader:
    """A base model with one adapter, ready to read.

    Attributes:
        decoder: The blocks.
        blocks: Weights with the adapter added in; None where it is kept beside them.
        lora: The adapter beside the weights; None where it was added in.
        chooser: Takes the next tokens.
        dtype: Number type of the weights.
        device: Where they are.
    """

    decoder: Decoder
    blocks: Sequence[Block] | None
    lora: Sequence[BlockLora] | None
    chooser: Chooser
    dtype: torch.dtype
    device: torch.device

    def run(
        self, tokens: Sequence[tuple[int, int, int]], owners: Sequence[list[int]], cache: KeyValues
    ) -> Tensor:
        """Read new tokens; gives their states, ``(n, d)``.

        Args:
            tokens: Row, id and position of each; they are the last tokens of their rows, in order.
            owners: For each row the branch of each of its tokens, the new ones included.
            cache: Keys and values of the tokens before; the new ones are added.
        """
        rows, ids, positions = torch.tensor(tokens).unbind(1)  # (n,)
        fresh = torch.bincount(rows, minlength=len(owners))  # (b,)
        lengths = torch.tensor([len(own) for own in owners])  # (b,)
        # The tokens come row by row, so a token's column is its distance from its row's first.
        columns = torch.arange(len(rows)) - (fresh.cumsum(0) - fresh)[rows]  # (n,)
        slots = (lengths - fresh)[rows] + columns  # (n,)
        mask = branch_mask(owners, rows, columns, slots, int(fresh.max()))  # (b, w, m)
        grid = Grid.of(
            rows.to(self.device),
            columns.to(self.device),
            slots.to(self.device),
            mask.to(self.device),
            self.dtype,
        )
        reading = self.decoder.run(
            ids.to(self.device),
            positions.to(self.device),
            grid,
            blocks=self.blocks,
            lora=self.lora,
            cache=cache,
        )
        return reading.last


def answers(
    reader: Reader, prompts: Sequence[Prompt], automata: Callable[[Prompt], list[AnswerAutomaton]]
) -> list[list[AnswerAutomaton]]:
    """Answer every question of every prompt.

    Each text is read once, with all its questions behind it. Most answers end there; the rows of
    the others wait until there are enough of them, and are then decoded together: a pass with few
    tokens costs almost as much as one with many.

    Args:
        reader: The model.
        prompts: In an order in which neighbours have similar lengths.
        automata: Makes one automaton per question of a prompt.

    Returns:
        For each prompt one finished automaton per question.
    """
    found = [automata(prompt) for prompt in prompts]
    parts = _parts(prompts)
    wave: _Wave | None = None
    with torch.inference_mode():
        while parts or wave is not None:
            while parts and (wave is None or wave.busy < _DECODED_ROWS):
                first, last = parts.pop(0)
                wave = _joined(wave, _prefill(reader, prompts[first:last], found[first:last]))
            if wave is not None:
                wave = _decoded(reader, wave)
    return found


def _parts(prompts: Sequence[Prompt]) -> list[tuple[int, int]]:
    parts: list[tuple[int, int]] = []
    first = tokens = 0
    for number, prompt in enumerate(prompts):
        length = len(prompt.text.ids) + sum(len(question.ids) for question in prompt.questions)
        if number > first and tokens + length > _PREFILL_TOKENS:
            parts.append((first, number))
            first, tokens = number, 0
        tokens += length
    return [*parts, (first, len(prompts))] if prompts else []


def _prefill(
    reader: Reader, prompts: Sequence[Prompt], found: Sequence[Sequence[AnswerAutomaton]]
) -> _Wave | None:
    tokens: list[tuple[int, int, int]] = []
    owners: list[list[int]] = []
    branches: list[_Open] = []
    ends: list[int] = []
    for row, (prompt, automata) in enumerate(zip(prompts, found, strict=True)):
        forced = [_forced(automaton) for automaton in automata]
        parts = [(*q.ids, *more) for q, more in zip(prompt.questions, forced, strict=True)]
        packed = pack(prompt.text.ids, [Branch(ids) for ids in parts])
        start = len(tokens)
        tokens += [(row, *pair) for pair in zip(packed.ids, packed.positions, strict=True)]
        owners.append(list(packed.owners))
        for number, (automaton, ids) in enumerate(zip(automata, parts, strict=True)):
            if not automaton.done:
                branches.append(_Open(row, number, len(prompt.text.ids) + len(ids), automaton))
                ends.append(start + packed.starts[number] + len(ids) - 1)
    if not branches:
        return None
    cache = KeyValues(len(reader.decoder.blocks))
    states = reader.run(tokens, owners, cache)[ends]  # (branches, d)
    return _kept(_Wave(cache, owners, _decided(reader, branches, states)))


def _kept(wave: _Wave) -> _Wave | None:
    """The rows of a wave that have open branches."""
    rows = sorted({branch.row for branch in wave.branches})
    if not rows:
        return None
    if len(rows) < len(wave.owners):
        places = {row: place for place, row in enumerate(rows)}
        for branch in wave.branches:
            branch.row = places[branch.row]
        owners = [wave.owners[row] for row in rows]
        wave = _Wave(wave.cache.take(torch.tensor(rows)), owners, wave.branches)
    return wave


def _joined(first: _Wave | None, second: _Wave | None) -> _Wave | None:
    if first is None or second is None:
        return first or second
    first = _kept(first) or first
    for branch in second.branches:
        branch.row += len(first.owners)
    return _Wave(
        KeyValues.joined([first.cache, second.cache]),
        first.owners + second.owners,
        first.branches + second.branches,
    )


def _decoded(reader: Reader, wave: _Wave) -> _Wave | None:
    """The wave one decision further; None where all its answers are complete."""
    tokens: list[tuple[int, int, int]] = []
    ends = []
    for branch in wave.branches:
        tokens += [(branch.row, id_, branch.position + n) for n, id_ in enumerate(branch.feed)]
        branch.position += len(branch.feed)
        wave.owners[branch.row] += [branch.number] * len(branch.feed)
        ends.append(len(tokens) - 1)
    states = reader.run(tokens, wave.owners, wave.cache)[ends]  # (active, d)
    wave.branches = _decided(reader, wave.branches, states)
    # Taking rows out copies their cache, so it waits until it is worth it.
    return _kept(wave) if wave.busy <= len(wave.owners) // 2 else wave


def _decided(reader: Reader, branches: Sequence[_Open], states: Tensor) -> list[_Open]:
    """Let every branch take its next token; returns those that still have something to decide."""
    chosen = reader.chooser.choose([branch.automaton for branch in branches], states)
    active = []
    for branch, (token, log_probability) in zip(branches, chosen, strict=True):
        branch.automaton.take(token, log_probability)
        branch.feed = [token, *_forced(branch.automaton)]
        if not branch.automaton.done:
            active.append(branch)
    return active


def _forced(automaton: AnswerAutomaton) -> list[int]:
    taken = []
    while (options := automaton.options()) is not None and len(options) == 1:
        automaton.take(options[0])
        taken.append(options[0])
    return taken
