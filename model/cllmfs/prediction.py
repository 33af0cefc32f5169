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

PREFILL_TOKENS = 1024
_DECODED_ROWS = 64
# Bounds the memory of the cache where rows are long.
_DECODED_TOKENS = 16384
# Answers rarely make a row longer by more than this.
_ANSWER_TOKENS = 32


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
    limit: int
    owners: list[list[int]] = field(default_factory=list)
    branches: list[_Open] = field(default_factory=list)

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
        self,
        tokens: Sequence[tuple[int, int, int]],
        owners: Sequence[list[int]],
        cache: KeyValues,
        known: int,
    ) -> Tensor:
        """Read new tokens; gives their states, ``(n, d)``.

        Args:
            tokens: Row, id and position of each, row by row; they are the last ones of their rows.
            owners: For each row the branch of each of its tokens, the new ones included.
            cache: Keys and values of the tokens before; the new ones are added.
            known: Rows that have tokens in the cache; all rows after them are new.
        """
        rows, ids, positions = torch.tensor(tokens).unbind(1)  # (n,)
        split = int((rows < known).sum())
        grids = []
        # Known rows get few tokens each and new ones many, so they are laid out separately.
        if split:
            grids.append(self._grid(rows[:split], owners[:known]))
        if split < len(rows):
            grids.append(self._grid(rows[split:] - known, owners[known:]))
        reading = self.decoder.run(
            ids.to(self.device),
            positions.to(self.device),
            grids[0] if len(grids) == 1 else grids[0].followed_by(grids[1]),
            blocks=self.blocks,
            lora=self.lora,
            cache=cache,
        )
        return reading.last

    def _grid(self, rows: Tensor, owners: Sequence[list[int]]) -> Grid:
        fresh = torch.bincount(rows, minlength=len(owners))  # (b,)
        lengths = torch.tensor([len(own) for own in owners])  # (b,)
        # The tokens come row by row, so a token's column is its distance from its row's first.
        columns = torch.arange(len(rows)) - (fresh.cumsum(0) - fresh)[rows]  # (n,)
        slots = (lengths - fresh)[rows] + columns  # (n,)
        mask = branch_mask(owners, rows, columns, slots, int(fresh.max()))  # (b, w, m)
        return Grid.of(
            rows.to(self.device),
            columns.to(self.device),
            slots.to(self.device),
            mask.to(self.device),
            self.dtype,
            # On a GPU one large product is faster than two small ones.
            uneven=self.device.type == "cpu",
        )


def answers(
    reader: Reader, prompts: Sequence[Prompt], automata: Callable[[Prompt], list[AnswerAutomaton]]
) -> list[list[AnswerAutomaton]]:
    """Answer every question of every prompt.

    Each text is read once, with all its questions behind it. Most answers end there; those of the
    others go on beside the next texts: a pass with few tokens costs much more per token than one
    with many.

    Args:
        reader: The model.
        prompts: In an order in which neighbours have similar lengths.
        automata: Makes one automaton per question of a prompt.

    Returns:
        For each prompt one finished automaton per question.
    """
    found = [automata(prompt) for prompt in prompts]
    parts = _parts(prompts)
    if not parts:
        return []
    wave = _empty_wave(reader, prompts, max(map(len, parts)))
    with torch.inference_mode():
        while parts or wave.branches:
            part = range(0)
            if parts and wave.busy < wave.limit:
                # Long texts have long answers, so they begin first: at the end few rows are left.
                part = parts.pop()
            _pass(reader, wave, [(prompts[number], found[number]) for number in part])
    return found


def _empty_wave(reader: Reader, prompts: Sequence[Prompt], largest: int) -> _Wave:
    longest = max(map(prompt_length, prompts)) + _ANSWER_TOKENS
    limit = max(1, min(_DECODED_ROWS, _DECODED_TOKENS // longest))
    rows = min(len(prompts), limit - 1 + largest)
    return _Wave(KeyValues(len(reader.decoder.blocks), rows, longest), limit)


def prompt_length(prompt: Prompt) -> int:
    """Tokens of a prompt: its text and all its questions."""
    return len(prompt.text.ids) + sum(len(question.ids) for question in prompt.questions)


def _parts(prompts: Sequence[Prompt]) -> list[range]:
    """The prompts that are read in one pass, the last pass first; the first passes are full."""
    parts: list[range] = []
    last, tokens = len(prompts), 0
    for number in reversed(range(len(prompts))):
        length = prompt_length(prompts[number])
        if tokens and tokens + length > PREFILL_TOKENS:
            parts.insert(0, range(number + 1, last))
            last, tokens = number + 1, 0
        tokens += length
    return [range(last), *parts] if prompts else []


def _pass(
    reader: Reader, wave: _Wave, new: Sequence[tuple[Prompt, Sequence[AnswerAutomaton]]]
) -> None:
    """Take all open answers one decision further, and read new texts beside them."""
    known = len(wave.owners)
    tokens, ends = _fed(wave)
    for prompt, automata in new:
        forced = [_forced(automaton) for automaton in automata]
        parts = [(*q.ids, *more) for q, more in zip(prompt.questions, forced, strict=True)]
        packed = pack(prompt.text.ids, [Branch(ids) for ids in parts])
        start, row = len(tokens), len(wave.owners)
        tokens += [(row, *pair) for pair in zip(packed.ids, packed.positions, strict=True)]
        wave.owners.append(list(packed.owners))
        for number, (automaton, ids) in enumerate(zip(automata, parts, strict=True)):
            if not automaton.done:
                position = len(prompt.text.ids) + len(ids)
                wave.branches.append(_Open(row, number, position, automaton))
                ends.append(start + packed.starts[number] + len(ids) - 1)
    if wave.branches:
        states = reader.run(tokens, wave.owners, wave.cache, known)[ends]  # (branches, d)
        wave.branches = _decided(reader, wave.branches, states)
    # Moving rows costs about as much as reading a few idle ones.
    if 8 * wave.busy <= 7 * len(wave.owners):
        _close_gaps(wave)


def _fed(wave: _Wave) -> tuple[list[tuple[int, int, int]], list[int]]:
    """What the open answers read next: row, id and position; and the last token of each."""
    tokens: list[tuple[int, int, int]] = []
    ends = []
    for branch in wave.branches:
        tokens += [(branch.row, id_, branch.position + n) for n, id_ in enumerate(branch.feed)]
        branch.position += len(branch.feed)
        wave.owners[branch.row] += [branch.number] * len(branch.feed)
        ends.append(len(tokens) - 1)
    return tokens, ends


def _close_gaps(wave: _Wave) -> None:
    """Drop the rows without open branches; the last rows move to their places."""
    rows = sorted({branch.row for branch in wave.branches})
    gaps = sorted(set(range(len(rows))).difference(rows))
    if gaps:
        movers = rows[-len(gaps) :]
        length = max(len(wave.owners[row]) for row in movers)
        wave.cache.move(torch.tensor(movers), torch.tensor(gaps), length)
        places = dict(zip(movers, gaps, strict=True))
        for row, place in places.items():
            wave.owners[place] = wave.owners[row]
        for branch in wave.branches:
            branch.row = places.get(branch.row, branch.row)
        wave.branches.sort(key=lambda branch: (branch.row, branch.number))
    del wave.owners[len(rows) :]


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
