"""Answers to many prompts: on all CPU threads, and within the memory there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from model.base.memory import unless_short
from model.base.side_by_side import share_count, side_by_side
from model.cllmfs.decoding import AnswerAutomaton
from model.cllmfs.prediction import PREFILL_TOKENS, Reader, answers, prompt_length
from model.cllmfs.prompt import Prompt
from model.errors import OutOfMemoryError

_log = logging.getLogger(__name__)

_FEW = 4


def answers_side_by_side(
    reader: Reader, prompts: Sequence[Prompt], automata: Callable[[Prompt], list[AnswerAutomaton]]
) -> list[list[AnswerAutomaton]]:
    """What :func:`answers_within_memory` gives, with the prompts dealt out to the CPU's threads.

    Where memory is short, one share reads them all.

    Raises:
        OutOfMemoryError: If even few prompts do not fit.
    """
    tokens = sum(map(prompt_length, prompts))
    shares = share_count(reader.device, tokens // PREFILL_TOKENS) if reader.chooser.steady else 1
    # Neighbours have similar lengths, so every share gets as much.
    dealt = [prompts[share::shares] for share in range(shares)]
    work = [partial(answers, reader, own, automata) for own in dealt]
    read = unless_short(lambda: side_by_side(work)) if shares > 1 else None
    if read is None:
        return answers_within_memory(reader, prompts, automata)
    found: list[list[AnswerAutomaton]] = [[] for _ in prompts]
    for share, own in enumerate(read):
        found[share::shares] = own
    return found


def answers_within_memory(
    reader: Reader, prompts: Sequence[Prompt], automata: Callable[[Prompt], list[AnswerAutomaton]]
) -> list[list[AnswerAutomaton]]:
    """What :func:`answers` gives; where memory is short, once more with few prompts at a time.

    Raises:
        OutOfMemoryError: If even few prompts do not fit.
    """
    found = unless_short(lambda: answers(reader, prompts, automata))
    if found is not None:
        return found
    _log.warning("too little memory for %d prompts at once: answered few by few", len(prompts))
    found = []
    for first in range(0, len(prompts), _FEW):
        part = prompts[first : first + _FEW]
        own = unless_short(partial(answers, reader, part, automata))
        if own is None:
            raise OutOfMemoryError
        found += own
    return found
