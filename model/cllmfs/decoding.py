"""The span-copy automaton: every answer it allows is a list of exact spans of the source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from model.cllmfs.copy_source import NOTHING, CopySource
from model.cllmfs.prompt import EncodedText, PromptEncoder


@dataclass(frozen=True, slots=True)
class Mention:
    """One span of an answer.

    Attributes:
        first: First word.
        last: One past the last word.
        confidence: Exponential of the mean log-probability of its choices, in [0, 1].
        start: First code point in the whole text.
        end: One past the last code point.
    """

    first: int
    last: int
    confidence: float
    start: int
    end: int


class AnswerAutomaton(Protocol):
    """What may follow in one answer, and what the tokens taken so far mean.

    Attributes:
        mentions: The mentions closed so far, in the order of the answer.
        absence: Probability of the answer ``none`` at the start, in [0, 1]; 1 where it was forced.
        dropped: Mentions that were begun and not closed, or that do not stand in the text.
    """

    mentions: list[Mention]
    absence: float
    dropped: int

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""

    @property
    def starting(self) -> bool:
        """Whether the next token decides between ``none`` and a first mention."""

    def options(self) -> tuple[int, ...] | None:
        """The tokens that may follow, sorted: one is forced, none means done; None means any."""

    def take(self, token: int, log_probability: float | None = None) -> None:
        """Follow one of the options.

        Args:
            token: A token of :meth:`options`.
            log_probability: Its log-probability among the options; None where it was the only one.

        Raises:
            ValueError: If the token is not among the options.
        """


class _State(Enum):
    START = auto()
    FIRST_WORD = auto()
    COPY = auto()
    BETWEEN = auto()
    DONE = auto()


class SpanCopy:
    """The span-copy automaton (see :class:`AnswerAutomaton`).

    Mentions come in source order. They share no word, so every answer is finite; with
    ``reuse_words`` they may, no mention is given twice, and their number is bounded. Where the
    copied tokens agree with several places, all of them are kept until the mention ends; then the
    first place is meant.

    Args:
        text: The window that is copied from.
        encoder: Gives the markers.
        source: Tables of the window, to share them between its questions.
        reuse_words: Whether mentions may share words.
        span_limit: Most mentions where they may share words.
    """

    def __init__(
        self,
        text: EncodedText,
        encoder: PromptEncoder,
        *,
        source: CopySource | None = None,
        reuse_words: bool = False,
        span_limit: int = 64,
    ) -> None:
        self._source = source or CopySource(text, encoder)
        self._encoder = encoder
        self._reuse, self._limit = reuse_words, span_limit
        self._state = _State.START
        self._queue = encoder.opening
        self._options: tuple[int, ...] | None = None
        self._next_start = 0
        # Readings of the tokens copied so far: first word and place of the last token.
        self._copies: list[tuple[int, int]] = []
        self._choices: list[float] = []
        # Where words are reused: the ends given so far, and how far mentions can still reach.
        self._given: dict[int, set[int]] = {}
        self._reaches: dict[int, int] = {}
        self.mentions: list[Mention] = []
        self.absence = 1.0
        self.dropped = 0

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""
        return self._state is _State.DONE and not self._queue

    @property
    def starting(self) -> bool:
        """Whether the next token decides between ``none`` and a first mention."""
        return self._state is _State.START and not self._queue

    def options(self) -> tuple[int, ...]:
        """The token ids that may follow, sorted; one means there is nothing to decide."""
        if self._options is None:
            self._options = self._allowed()
        return self._options

    def take(self, token: int, log_probability: float | None = None) -> None:
        """Follow one of the options; see :meth:`AnswerAutomaton.take`.

        Raises:
            ValueError: If the token is not among the options.
        """
        if token not in self.options():
            raise ValueError(f"token {token} may not follow")
        self._options = None
        if self._queue:
            self._queue = self._queue[1:]
        elif self._state in (_State.START, _State.BETWEEN):
            self._decide(token, log_probability)
        else:
            if log_probability is not None:
                self._choices.append(log_probability)
            self._copy(token)

    def _allowed(self) -> tuple[int, ...]:
        encoder = self._encoder
        if self._queue:
            return self._queue[:1]
        if self._state is _State.COPY:
            return self._continuations()
        if self._state is _State.FIRST_WORD:
            return self._first_tokens()
        if self._state is _State.DONE:
            return ()
        leave = encoder.none[0] if self._state is _State.START else encoder.end[0]
        return _sorted({leave, encoder.open[0]} if self._opens() else {leave})

    def _decide(self, token: int, log_probability: float | None) -> None:
        encoder, at_start = self._encoder, self._state is _State.START
        if token == encoder.open[0]:
            self._choices = [] if log_probability is None else [log_probability]
            self._queue, self._state = encoder.open[1:], _State.FIRST_WORD
            if at_start and log_probability is not None:
                self.absence = -math.expm1(min(0.0, log_probability))
            return
        leave = encoder.none + encoder.end if at_start else encoder.end
        self._queue, self._state = leave[1:], _State.DONE
        if at_start:
            self.absence = min(1.0, math.exp(log_probability or 0.0))

    def _copy(self, token: int) -> None:
        source = self._source
        if self._state is _State.FIRST_WORD:
            self._state = _State.COPY
            pieces = source.text.pieces
            self._copies = [
                (word, pieces[word][0])
                for word in source.words_with(token, self._next_start)
                if self._reach(word) > word
            ]
        elif token == self._encoder.close[0]:
            first, place = next(copy for copy in self._copies if self._closes(*copy))
            self._close(first, source.ends[place])
        else:
            self._copies = [
                (first, place + 1)
                for first, place in self._copies
                if source.following[place] == token and self._continues(first, place)
            ]

    def _close(self, first: int, last: int) -> None:
        mean = sum(self._choices) / len(self._choices) if self._choices else 0.0
        words = self._source.text.words
        start, end = words[first].start, words[last - 1].end
        self.mentions.append(Mention(first, last, min(1.0, math.exp(mean)), start, end))
        self._queue, self._state = self._encoder.close[1:], _State.BETWEEN
        self._next_start = first if self._reuse else last
        if self._reuse:
            given = self._given.setdefault(first, set())
            given.add(last)
            reach = self._reach(first)
            while reach in given:
                reach -= 1
            self._reaches[first] = reach

    def _continuations(self) -> tuple[int, ...]:
        following = self._source.following
        tokens = {
            following[place] for first, place in self._copies if self._continues(first, place)
        }
        if any(self._closes(*copy) for copy in self._copies):
            tokens.add(self._encoder.close[0])
        return _sorted(tokens)

    def _first_tokens(self) -> tuple[int, ...]:
        source = self._source
        tokens = source.first_tokens(self._next_start)
        if not self._reaches:
            return tokens
        return tuple(
            token
            for token in tokens
            if any(self._reach(w) > w for w in source.words_with(token, self._next_start))
        )

    def _opens(self) -> bool:
        if self._reuse and len(self.mentions) >= self._limit:
            return False
        return self._source.opens(self._next_start) and bool(self._first_tokens())

    def _reach(self, word: int) -> int:
        """One past the last word that a mention from ``word`` on can still end with."""
        return self._reaches.get(word, self._source.runs[word])

    def _continues(self, first: int, place: int) -> bool:
        # Within a word always; into the next word only if some mention can still end there.
        source = self._source
        if source.following[place] == NOTHING:
            return False
        return source.ends[place] == 0 or source.ends[place] < self._reach(first)

    def _closes(self, first: int, place: int) -> bool:
        end = self._source.ends[place]
        return end > 0 and end not in self._given.get(first, ())


def _sorted(tokens: set[int]) -> tuple[int, ...]:
    return tuple(sorted(tokens))
