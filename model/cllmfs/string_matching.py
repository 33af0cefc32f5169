"""Answers that are matched as strings: published decoding, kept for comparison."""

from __future__ import annotations

import math
from collections.abc import Collection

from model.cllmfs.decoding import Mention
from model.cllmfs.prompt import EncodedText, PromptEncoder

_SPARE_TOKENS = 32


class PlainText:
    """The text of a window as strings are compared: lower case, single spaces.

    Args:
        window: The window.
    """

    def __init__(self, window: EncodedText) -> None:
        self._window = window
        start = window.words[0].start if window.words else 0
        end = window.words[-1].end if window.words else 0
        characters: list[str] = []
        origins: list[int] = []
        for offset, character in enumerate(window.source[start:end], start=start):
            plain = " " if character.isspace() else _plain(character)
            if plain == " " and characters[-1:] == [" "]:
                continue
            # One character may become two ("\u0130"): both came from the same place.
            characters += plain
            origins += [offset] * len(plain)
        self._text, self._origins = "".join(characters), origins

    def find(self, wanted: str, used: Collection[tuple[int, int]]) -> tuple[int, int] | None:
        """The first occurrence of a string that shares no character with used stretches.

        Args:
            wanted: A string; case and the amount of white space do not matter.
            used: Half-open code point ranges in the whole text.

        Returns:
            Its code point range in the whole text; None where there is none.
        """
        sought = " ".join("".join(map(_plain, wanted)).split())
        place = self._text.find(sought) if sought else -1
        while place >= 0:
            start = self._origins[place]
            end = self._origins[place + len(sought) - 1] + 1
            if all(end <= first or last <= start for first, last in used):
                return start, end
            place = self._text.find(sought, place + 1)
        return None

    def words(self, start: int, end: int) -> tuple[int, int]:
        """The words that a range of characters touches, as a half-open range."""
        words = self._window.words
        touched = [n for n, word in enumerate(words) if word.start < end and start < word.end]
        return touched[0], touched[-1] + 1


class MatchedAnswer:
    """An answer whose mentions are strings between markers (see ``AnswerAutomaton``).

    A string counts if it occurs in the text, at its first occurrence that no earlier mention uses.
    The answer ends with the end marker or at the token limit.

    Args:
        plain: The text of the window.
        encoder: Gives the markers.
        allowed: The tokens that may follow at any point, sorted; None allows every token.
        limit: Most tokens of the answer.
    """

    def __init__(
        self,
        plain: PlainText,
        encoder: PromptEncoder,
        allowed: tuple[int, ...] | None,
        limit: int,
    ) -> None:
        self._plain, self._encoder = plain, encoder
        self._allowed, self._limit = allowed, limit
        self._queue = encoder.opening
        self._tokens: list[int] = []
        self._choices: list[float] = []
        self._mention_from: int | None = None
        self.mentions: list[Mention] = []
        self.absence = 1.0
        self.dropped = 0
        self.done = False

    @property
    def starting(self) -> bool:
        """Whether the next token decides between ``none`` and a first mention."""
        return not self._queue and not self._tokens

    def options(self) -> tuple[int, ...] | None:
        """The tokens that may follow; None means any."""
        if self._queue:
            return self._queue[:1]
        return () if self.done else self._allowed

    def take(self, token: int, log_probability: float | None = None) -> None:
        """Follow one of the options; see ``AnswerAutomaton.take``.

        Raises:
            ValueError: If the token is not among the options.
        """
        options = self.options()
        if options is not None and token not in options:
            raise ValueError(f"token {token} may not follow")
        if self._queue:
            self._queue = self._queue[1:]
            return
        chance = min(0.0, log_probability or 0.0)
        if not self._tokens:
            said_none = token == self._encoder.none[0]
            self.absence = math.exp(chance) if said_none else -math.expm1(chance)
        self._tokens.append(token)
        self._choices.append(chance)
        self._read_marker()
        if len(self._tokens) >= self._limit:
            self.done = True
        if self.done and self._mention_from is not None:
            self.dropped += 1
            self._mention_from = None

    def _read_marker(self) -> None:
        encoder = self._encoder
        if self._mention_from is None:
            if self._ends_with(encoder.open):
                self._mention_from = len(self._tokens)
            elif self._ends_with(encoder.end):
                self.done = True
        elif self._ends_with(encoder.close):
            self._close(self._mention_from, len(self._tokens) - len(encoder.close))
            self._mention_from = None
        elif self._ends_with(encoder.end):
            self.done = True

    def _close(self, first: int, last: int) -> None:
        used = [(mention.start, mention.end) for mention in self.mentions]
        found = self._plain.find(self._encoder.decode(self._tokens[first:last]), used)
        if found is None:
            self.dropped += 1
            return
        choices = self._choices[first - len(self._encoder.open) :]
        confidence = math.exp(sum(choices) / len(choices))
        self.mentions.append(Mention(*self._plain.words(*found), confidence, *found))

    def _ends_with(self, marker: tuple[int, ...]) -> bool:
        return tuple(self._tokens[-len(marker) :]) == marker


def bag_of(text: EncodedText, encoder: PromptEncoder) -> tuple[int, ...]:
    """The tokens of all words, with and without a space before them, and of the markers; sorted."""
    tokens = {*encoder.open, *encoder.close, *encoder.none, *encoder.end}
    for word in text.words:
        surface = text.source[word.start : word.end]
        tokens.update(encoder.encode(surface), encoder.encode(f" {surface}"))
    return tuple(sorted(tokens))


def answer_limit(text: EncodedText) -> int:
    """Most tokens of an answer that nothing else bounds: twice the words' and some for markers."""
    size = text.pieces[-1][1] - text.pieces[0][0] if text.pieces else 0
    return 2 * size + _SPARE_TOKENS


def _plain(character: str) -> str:
    # A lone surrogate reaches the model as the replacement character of the encoding.
    return character.encode("utf-8", "replace").decode("utf-8").lower()
