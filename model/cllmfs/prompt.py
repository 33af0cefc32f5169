"""What the language model reads and writes: the sentence, one question per label, the answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from model.cllmfs.segmentation import Word, windows_of, words_of
from model.errors import BaseModelError
from model.spans import Label

HEADER = "Text:"
OPEN, CLOSE, NONE, END = " <<", " >>", " none", "\n"
_SENTENCE_ENDS = frozenset(".!?。！？")
_CACHE_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One window of a text, ready to be read by the model.

    Attributes:
        ids: Header, words and the closing line break, as token ids.
        words: The words of the window, with offsets in the whole text.
        pieces: For each word its half-open range in ``ids``.
        usable: For each word whether an answer may copy it.
    """

    ids: tuple[int, ...]
    words: tuple[Word, ...]
    pieces: tuple[tuple[int, int], ...]
    usable: tuple[bool, ...]

    def word_ids(self, word: int) -> tuple[int, ...]:
        """The token ids of one word."""
        first, last = self.pieces[word]
        return self.ids[first:last]


@dataclass(frozen=True, slots=True)
class Question:
    """One label's question.

    Attributes:
        ids: Token ids.
        name: Half-open range of the natural name in ``ids``: the anchor of the contrastive term.
    """

    ids: tuple[int, ...]
    name: tuple[int, int]


class PromptEncoder:
    """Turns texts and labels into token ids; every word is encoded by itself.

    Args:
        tokenizer: Tokenizer of the base model; it must encode any text.

    Raises:
        BaseModelError: If the tokenizer cannot encode the markers.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._cache: dict[str, tuple[int, ...]] = {}
        self.header = self.encode(HEADER)
        self.open, self.close = self.encode(OPEN), self.encode(CLOSE)
        self.none, self.end = self.encode(NONE), self.encode(END)
        self.padding = self.end[0] if self.end else 0
        markers = (self.open, self.close, self.none, self.end)
        if not all(markers) or self.open[0] == self.none[0] or self.open[0] == self.end[0]:
            raise BaseModelError("The tokenizer of this base model cannot tell the markers apart.")

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a short piece of text; lone surrogates become replacement characters."""
        known = self._cache.get(text)
        if known is None:
            clean = text.encode("utf-8", "replace").decode("utf-8")
            known = tuple(self._tokenizer.encode(clean, add_special_tokens=False).ids)
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[text] = known
        return known

    def windows(self, text: str, *, limit: int, cuts: Collection[int] = ()) -> list[EncodedText]:
        """Encode a text in windows of at most ``limit`` tokens where possible.

        Args:
            text: Any text; an empty one gives one window without words.
            limit: Most tokens of words in a window.
            cuts: Positions at which a word must end.
        """
        words = words_of(text, cuts)
        ids = [self._word_ids(text, word) for word in words]
        breaks = [text[word.end - 1] in _SENTENCE_ENDS for word in words]
        ranges = windows_of([len(piece) for piece in ids], breaks, limit)
        return [self._window(words[first:last], ids[first:last]) for first, last in ranges]

    def question(self, label: Label, *, descriptions: bool) -> Question:
        """The question for one label: its natural name and, if wanted, its description."""
        name = self.encode(" ".join(label.question.split()) or label.name)
        clause = " ".join(label.description.split()) if descriptions else ""
        tail = self.encode(f" ({clause}):" if clause else ":")
        return Question(ids=name + tail, name=(0, len(name)))

    def answer(self, window: EncodedText, mentions: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """The answer that lists mentions, given as half-open word ranges in source order."""
        if not mentions:
            return self.none + self.end
        ids: list[int] = []
        for first, last in mentions:
            ids += self.open
            ids += window.ids[window.pieces[first][0] : window.pieces[last - 1][1]]
            ids += self.close
        return (*ids, *self.end)

    def _word_ids(self, text: str, word: Word) -> tuple[int, ...]:
        surface = text[word.start : word.end]
        return self.encode(f" {surface}" if word.spaced else surface) or self.encode("?")

    def _window(self, words: Sequence[Word], ids: Sequence[tuple[int, ...]]) -> EncodedText:
        joined = list(self.header)
        pieces = []
        for piece in ids:
            pieces.append((len(joined), len(joined) + len(piece)))
            joined += piece
        # A word that contains a marker's first token could be read two ways: it is never copied.
        usable = tuple(self.close[0] not in piece for piece in ids)
        return EncodedText((*joined, *self.end), tuple(words), tuple(pieces), usable)
