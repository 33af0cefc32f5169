"""The span-copy automaton: every answer it allows is a list of exact spans of the source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from model.cllmfs.prompt import EncodedText, PromptEncoder


@dataclass(frozen=True, slots=True)
class Mention:
    """One copied span.

    Attributes:
        first: First word.
        last: One past the last word.
        confidence: Exponential of the mean log-probability of its choices, in [0, 1].
    """

    first: int
    last: int
    confidence: float


class _State(Enum):
    START = auto()
    FIRST_WORD = auto()
    COPY = auto()
    BETWEEN = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class _Copy:
    """One reading of the tokens copied so far: from word ``first`` to inside word ``word``."""

    first: int
    word: int
    taken: int


class SpanCopy:
    """What may follow in one answer.

    Mentions come in source order and share no word, so every answer is finite. Where the copied
    tokens agree with several places, all of them are kept until the mention ends; then the first
    place is meant.

    Args:
        text: The window that is copied from.
        encoder: Gives the markers.
    """

    def __init__(self, text: EncodedText, encoder: PromptEncoder) -> None:
        self._text = text
        self._encoder = encoder
        self._state = _State.START
        self._queue: tuple[int, ...] = ()
        self._next_word = 0
        self._copies: list[_Copy] = []
        self._choices: list[float] = []
        self.mentions: list[Mention] = []
        self.absence = 1.0
        """Probability of the answer ``none`` at the start, in [0, 1]; 1 where it was forced."""

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""
        return self._state is _State.DONE and not self._queue

    def options(self) -> tuple[int, ...]:
        """The token ids that may follow, sorted; one means there is nothing to decide."""
        encoder = self._encoder
        if self._queue:
            return self._queue[:1]
        if self._state is _State.START:
            return _sorted(encoder.none[0], *self._opening())
        if self._state is _State.BETWEEN:
            return _sorted(encoder.end[0], *self._opening())
        if self._state is _State.FIRST_WORD:
            return _sorted(*(self._text.word_ids(word)[0] for word in self._open_words()))
        if self._state is _State.COPY:
            follow = [token for copy in self._copies for token in self._following(copy)]
            closing = [encoder.close[0]] if self._closable() else []
            return _sorted(*follow, *closing)
        return ()

    def take(self, token: int, log_probability: float | None = None) -> None:
        """Follow one of the options.

        Args:
            token: A token of :meth:`options`.
            log_probability: Its log-probability among the options; None where it was the only one.
        """
        if token not in self.options():
            raise ValueError(f"token {token} may not follow")
        if self._queue:
            self._queue = self._queue[1:]
        elif self._state is _State.START and token == self._encoder.none[0]:
            self.absence = math.exp(log_probability or 0.0)
            self._queue = self._encoder.none[1:] + self._encoder.end
            self._state = _State.DONE
        elif self._state is _State.BETWEEN and token == self._encoder.end[0]:
            self._queue, self._state = self._encoder.end[1:], _State.DONE
        elif self._state in (_State.START, _State.BETWEEN):
            self._choices = []
            self._note(log_probability)
            self._queue, self._state = self._encoder.open[1:], _State.FIRST_WORD
        else:
            self._note(log_probability)
            self._copy(token)

    def _note(self, log_probability: float | None) -> None:
        if log_probability is not None:
            self._choices.append(log_probability)

    def _copy(self, token: int) -> None:
        if self._state is _State.FIRST_WORD:
            self._state = _State.COPY
            self._copies = [
                _Copy(word, word, 1)
                for word in self._open_words()
                if self._text.word_ids(word)[0] == token
            ]
        elif token == self._encoder.close[0]:
            copy = next(copy for copy in self._copies if self._at_word_end(copy))
            mean = sum(self._choices) / len(self._choices) if self._choices else 0.0
            self.mentions.append(Mention(copy.first, copy.word + 1, min(1.0, math.exp(mean))))
            self._next_word = copy.word + 1
            self._queue, self._state = self._encoder.close[1:], _State.BETWEEN
        else:
            self._copies = [
                self._advanced(copy) for copy in self._copies if token in self._following(copy)
            ]

    def _advanced(self, copy: _Copy) -> _Copy:
        if self._at_word_end(copy):
            return _Copy(copy.first, copy.word + 1, 1)
        return _Copy(copy.first, copy.word, copy.taken + 1)

    def _at_word_end(self, copy: _Copy) -> bool:
        return copy.taken == len(self._text.word_ids(copy.word))

    def _closable(self) -> bool:
        return any(self._at_word_end(copy) for copy in self._copies)

    def _following(self, copy: _Copy) -> tuple[int, ...]:
        if not self._at_word_end(copy):
            return (self._text.word_ids(copy.word)[copy.taken],)
        following = copy.word + 1
        if following < len(self._text.words) and self._text.usable[following]:
            return (self._text.word_ids(following)[0],)
        return ()

    def _open_words(self) -> list[int]:
        words = range(self._next_word, len(self._text.words))
        return [word for word in words if self._text.usable[word]]

    def _opening(self) -> tuple[int, ...]:
        return (self._encoder.open[0],) if self._open_words() else ()


def _sorted(*tokens: int) -> tuple[int, ...]:
    return tuple(sorted(set(tokens)))
