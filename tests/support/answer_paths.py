"""Ways through the automata of answers that several tests take."""

from __future__ import annotations

import math

from model.cllmfs.decoding import SpanCopy
from model.cllmfs.prompt import EncodedText, PromptEncoder


def window(encoder: PromptEncoder, text: str, cuts: set[int] | None = None) -> EncodedText:
    """The only window of a short text."""
    (only,) = encoder.windows(text, limit=10_000, cuts=cuts or ())
    return only


def spread(options: tuple[int, ...]) -> float | None:
    """The log-probability of an even choice; None where nothing is decided."""
    return -math.log(len(options)) if len(options) > 1 else None


def follow(automaton: SpanCopy, tokens: tuple[int, ...]) -> None:
    """Take the tokens one by one, each with the log-probability of an even choice."""
    for token in tokens:
        options = automaton.options()
        assert token in options
        automaton.take(token, spread(options))
