"""What the answers about one window may copy, prepared once for all of them."""

from __future__ import annotations

from bisect import bisect_left

from model.cllmfs.prompt import EncodedText, PromptEncoder

NOTHING = -1


class CopySource:
    """Tables of one window's tokens; they do not change, so all its questions share them.

    Places are indices into the window's token ids.

    Args:
        text: The window.
        encoder: Gives the markers.

    Attributes:
        text: The window.
        encoder: As given.
        following: For each place the token that continues the copy, or ``NOTHING``.
        ends: For each place the number of words up to and with the word that ends there, or 0.
        runs: For each word one past the last word of the usable run it lies in; its own number
            where it is not usable.
    """

    def __init__(self, text: EncodedText, encoder: PromptEncoder) -> None:
        self.text = text
        self.encoder = encoder
        self.following = [NOTHING] * len(text.ids)
        self.ends = [0] * len(text.ids)
        self.runs = list(range(len(text.words)))
        self._places: dict[int, list[int]] = {}
        self._openings: dict[int, tuple[int, ...]] = {}
        self._last_usable = NOTHING
        run = len(text.words)
        for word in reversed(range(len(text.words))):
            if not text.usable[word]:
                run = word
                continue
            first, last = text.pieces[word]
            self.following[first : last - 1] = text.ids[first + 1 : last]
            if word + 1 < run:
                self.following[last - 1] = text.ids[last]
            self.ends[last - 1] = word + 1
            self.runs[word] = run
            self._places.setdefault(text.ids[first], []).append(word)
            self._last_usable = max(self._last_usable, word)
        for words in self._places.values():
            words.reverse()

    def opens(self, start: int) -> bool:
        """Whether a mention can begin at a word from ``start`` on."""
        return start <= self._last_usable

    def first_tokens(self, start: int) -> tuple[int, ...]:
        """First tokens of the usable words from ``start`` on, sorted, each once."""
        known = self._openings.get(start)
        if known is None:
            known = tuple(sorted(t for t, words in self._places.items() if words[-1] >= start))
            self._openings[start] = known
        return known

    def words_with(self, token: int, start: int) -> list[int]:
        """The usable words from ``start`` on whose first token this is, in source order."""
        words = self._places.get(token, [])
        return words[bisect_left(words, start) :]
