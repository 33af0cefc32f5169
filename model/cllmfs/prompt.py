"""What the language model reads and writes: the sentence, one question per label, the answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tokenizers import Tokenizer

from model.cllmfs.config import RowFormat
from model.cllmfs.segmentation import Word, windows_of, words_of
from model.cllmfs.wording import wording_of
from model.errors import BaseModelError
from model.spans import Label

_SENTENCE_ENDS = frozenset(".!?。！？")
_CACHE_LIMIT = 50_000
_ANCHOR = "\x01"


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One window of a text, ready to be read by the model.

    Attributes:
        ids: Everything before the question, as token ids: header, words and closing line break,
            or, where the label comes first, the instruction and the words.
        words: The words of the window, with offsets in the whole text.
        pieces: For each word its half-open range in ``ids``; neighbouring words touch.
        usable: For each word whether an answer may copy it.
        source: The whole text.
    """

    ids: tuple[int, ...]
    words: tuple[Word, ...]
    pieces: tuple[tuple[int, int], ...]
    usable: tuple[bool, ...]
    source: str = ""

    @property
    def reach(self) -> tuple[int, int]:
        """Its first code point in the whole text and one past its last."""
        return (self.words[0].start, self.words[-1].end) if self.words else (0, 0)

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
        name_in_text: Whether ``name`` is a range in the ids of the text instead, because the label
            was named before the sentence.
    """

    ids: tuple[int, ...]
    name: tuple[int, int]
    name_in_text: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is read before the answers: one window and the questions that share it.

    Attributes:
        text: The window.
        questions: At least one.
        first: Number of the first question's label among the labels asked.
    """

    text: EncodedText
    questions: tuple[Question, ...]
    first: int


class PromptEncoder:
    """Turns texts and labels into token ids; every word is encoded by itself.

    Args:
        tokenizer: Tokenizer of the base model; it must encode any text.
        row_format: Whether the sentence or the instruction comes first.

    Attributes:
        row_format: As given.
        opening: Tokens every answer begins with; may be empty.
        open: Tokens that begin a mention.
        close: Tokens that end a mention.
        none: Tokens of the answer without mentions.
        end: Tokens that end the answer.
        padding: Token that fills rows up.

    Raises:
        BaseModelError: If the tokenizer cannot encode the markers.
    """

    def __init__(self, tokenizer: Tokenizer, row_format: RowFormat = "sentence_first") -> None:
        self._tokenizer = tokenizer
        self._wording = wording = wording_of(row_format)
        self._cache: dict[str, tuple[int, ...]] = {}
        self._anchor = self._prepended_anchor()
        self.row_format = row_format
        self.header, self.opening = self.encode(wording.header), self.encode(wording.opening)
        self.open, self.close = self.encode(wording.open), self.encode(wording.close)
        self.none, self.end = self.encode(wording.none), self.encode(wording.end)
        self.padding = self.end[0] if self.end else 0
        markers = (self.open, self.close, self.none, self.end)
        if not all(markers) or self.open[0] == self.none[0] or self.open[0] == self.end[0]:
            raise BaseModelError("The tokenizer of this base model cannot tell the markers apart.")

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a short piece of text; lone surrogates become replacement characters."""
        known = self._cache.get(text)
        if known is None:
            clean = text.encode("utf-8", "replace").decode("utf-8")
            known = self._encoded(clean)
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[text] = known
        return known

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens, special ones included."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

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
        return [self._window(text, words[first:last], ids[first:last]) for first, last in ranges]

    def question(self, label: Label, *, descriptions: bool) -> Question:
        """The question after the sentence: natural name and, if wanted, the description."""
        name, clause = self._name_and_clause(label, descriptions)
        tail = self.encode(f"{clause}:")
        return Question(ids=name + tail, name=(0, len(name)))

    def prompts(
        self,
        window: EncodedText,
        labels: Sequence[Label],
        *,
        descriptions: bool,
        group: int,
        packed: bool = True,
    ) -> list[Prompt]:
        """All questions about one window, in the encoder's row format.

        Args:
            window: One of :meth:`windows`.
            labels: The labels asked, in order.
            descriptions: Whether questions carry the labels' descriptions.
            group: Most questions in one prompt.
            packed: Without it, every question has a prompt of its own; always so where the
                instruction comes first.
        """
        if self.row_format == "instruction_first":
            return [
                self._instruction(window, label, number, descriptions)
                for number, label in enumerate(labels)
            ]
        asked = [self.question(label, descriptions=descriptions) for label in labels]
        size = group if packed else 1
        return [
            Prompt(window, tuple(asked[first : first + size]), first)
            for first in range(0, len(asked), size)
        ]

    def answer(self, window: EncodedText, mentions: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """The answer that lists mentions, given as half-open word ranges in source order."""
        if not mentions:
            return self.opening + self.none + self.end
        ids = list(self.opening)
        for first, last in mentions:
            ids += self.open
            ids += window.ids[window.pieces[first][0] : window.pieces[last - 1][1]]
            ids += self.close
        return (*ids, *self.end)

    def _word_ids(self, text: str, word: Word) -> tuple[int, ...]:
        surface = text[word.start : word.end]
        return self.encode(f" {surface}" if word.spaced else surface) or self.encode("?")

    def _window(
        self, text: str, words: Sequence[Word], ids: Sequence[tuple[int, ...]]
    ) -> EncodedText:
        joined = list(self.header)
        pieces = []
        for piece in ids:
            pieces.append((len(joined), len(joined) + len(piece)))
            joined += piece
        joined += self.encode(self._wording.closing)
        # A word that contains a marker's first token could be read two ways: it is never copied.
        usable = tuple(self.close[0] not in piece for piece in ids)
        return EncodedText(tuple(joined), tuple(words), tuple(pieces), usable, text)

    def _instruction(
        self, window: EncodedText, label: Label, number: int, descriptions: bool
    ) -> Prompt:
        name, clause = self._name_and_clause(label, descriptions)
        before = self.encode(self._wording.before)
        between = self.encode(f"{clause}{self._wording.between}")
        ahead = before + name + between
        text = replace(
            window,
            ids=ahead + window.ids,
            pieces=tuple((first + len(ahead), last + len(ahead)) for first, last in window.pieces),
        )
        place = (len(before), len(before) + len(name))
        asking = self.encode(self._wording.asking)
        return Prompt(text, (Question(asking, place, name_in_text=True),), number)

    def _name_and_clause(self, label: Label, descriptions: bool) -> tuple[tuple[int, ...], str]:
        name = " ".join(label.question.split()) or label.name
        clause = " ".join(label.description.split()) if descriptions else ""
        # After an instruction the name is a word in a sentence; alone it begins its line.
        spaced = f" {name}" if self._wording.before else name
        return self.encode(spaced), f" ({clause})" if clause else ""

    def _encoded(self, text: str) -> tuple[int, ...]:
        if not self._anchor:
            return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
        # This tokenizer puts a space before every text, so the text is read behind a character that
        # merges with nothing.
        ids = self._tokenizer.encode(_ANCHOR + text, add_special_tokens=False).ids
        return tuple(ids[len(self._anchor) :])

    def _prepended_anchor(self) -> tuple[int, ...]:
        """Tokens of the anchor where the tokenizer puts a space before a text, else nothing."""
        bare, behind, alone = (
            tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
            for text in ("a", f"{_ANCHOR}a", _ANCHOR)
        )
        rest = behind[len(alone) :]
        return alone if behind[: len(alone)] == alone and rest and rest != bare else ()
