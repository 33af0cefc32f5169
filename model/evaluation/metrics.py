"""Strict span scores: exact boundaries and label, counted over all texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.spans import Span


@dataclass(frozen=True, slots=True)
class Counts:
    """What precision and recall are made of; counts of texts and labels can be added.

    Attributes:
        correct: Predicted spans that are gold spans.
        predicted: Predicted spans.
        gold: Gold spans.
    """

    correct: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.correct + other.correct,
            self.predicted + other.predicted,
            self.gold + other.gold,
        )

    @property
    def precision(self) -> float:
        """correct / predicted, in [0, 1]; 0 where nothing was predicted."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """correct / gold, in [0, 1]; 0 where nothing is gold."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """2 * correct / (predicted + gold), in [0, 1]; 0 where both are empty."""
        total = self.predicted + self.gold
        return 2 * self.correct / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a run.

    Attributes:
        micro: Strict counts over all texts and labels.
        io: The same with adjacent spans of one label merged in gold and prediction.
        per_label: Strict counts of each label that occurs.
        per_text: Strict counts of each text, in order: what a paired bootstrap draws from.
        type_blind: Counts of boundaries alone, labels removed; doubled boundaries count once.
        false_nonempty: Pairs of a text and a label with predicted spans but without gold ones.
    """

    micro: Counts
    io: Counts
    per_label: dict[str, Counts]
    per_text: tuple[Counts, ...]
    type_blind: Counts = Counts()
    false_nonempty: int = 0


def count(gold: Iterable[Span], predicted: Iterable[Span]) -> Counts:
    """Counts of one text; (start, end, label) must agree, doubled spans count once."""
    wanted = {span.key for span in gold}
    found = {span.key for span in predicted}
    return Counts(len(wanted & found), len(found), len(wanted))


def merged(spans: Iterable[Span], text: str) -> list[Span]:
    """Join spans of one label with nothing but white space between them: the IO view of a text."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.label, span.start, span.end)):
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.label == span.label
            and not text[last.end : span.start].strip()
        ):
            joined[-1] = Span(last.start, max(last.end, span.end), last.label)
        else:
            joined.append(span)
    return joined


def score(
    texts: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> Scores:
    """Score a run.

    Args:
        texts: The texts.
        gold: Gold spans of each text.
        predicted: Predicted spans of each text.

    Raises:
        ValueError: If the three do not have the same length.
    """
    micro = io = blind = Counts()
    false_nonempty = 0
    per_label: dict[str, Counts] = {}
    per_text = []
    for text, wanted, found in zip(texts, gold, predicted, strict=True):
        own = count(wanted, found)
        per_text.append(own)
        micro += own
        io += count(merged(wanted, text), merged(found, text))
        blind += count(_unlabelled(wanted), _unlabelled(found))
        false_nonempty += len({span.label for span in found} - {span.label for span in wanted})
        for label in sorted({span.label for span in (*wanted, *found)}):
            part = count(
                [span for span in wanted if span.label == label],
                [span for span in found if span.label == label],
            )
            per_label[label] = per_label.get(label, Counts()) + part
    ordered = dict(sorted(per_label.items()))
    return Scores(micro, io, ordered, tuple(per_text), blind, false_nonempty)


def _unlabelled(spans: Iterable[Span]) -> list[Span]:
    return [Span(span.start, span.end, "") for span in spans]
