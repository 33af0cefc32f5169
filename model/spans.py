"""Spans, annotated texts and label sets: the values every other module speaks in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from model.errors import LabelSetError, OffsetError


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One labelled stretch of a text.

    Attributes:
        start: First code point, from 0.
        end: One past the last code point; above ``start``.
        label: Name of the entity type, as in the label set.
        score: Confidence in [0, 1]; 1 for a human annotation.
    """

    start: int
    end: int
    label: str
    score: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise OffsetError(
                f"A span needs 0 <= start < end, but got start={self.start}, end={self.end}."
            )

    @property
    def key(self) -> tuple[int, int, str]:
        """What strict scoring compares: (start, end, label)."""
        return self.start, self.end, self.label


@dataclass(frozen=True, slots=True)
class Label:
    """One entity type.

    Attributes:
        name: What is written into results, for example ``PER``.
        natural: What the model is asked, for example ``person``.
        description: A clause that defines the type; may be empty.
    """

    name: str
    natural: str = ""
    description: str = ""

    @property
    def question(self) -> str:
        """The words used in a question: the natural name, or else the name."""
        return self.natural or self.name


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The ordered entity types of a project.

    Raises:
        LabelSetError: If there is no label, or one name occurs twice.
    """

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if not names:
            raise LabelSetError("The label set is empty: at least one label is needed.")
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise LabelSetError(f"The label set names {', '.join(doubled)} more than once.")

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(label.name for label in self.labels)

    def to_json(self) -> list[dict[str, str]]:
        """A JSON value that :meth:`from_json` reads back."""
        return [
            {"name": item.name, "natural": item.natural, "description": item.description}
            for item in self.labels
        ]

    @classmethod
    def from_json(cls, items: list[dict[str, str]]) -> LabelSet:
        """Read what :meth:`to_json` wrote."""
        return cls(tuple(Label(**item) for item in items))

    @property
    def digest(self) -> str:
        """SHA-256 over names, natural names and descriptions, in order."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text with its gold spans; no span at all is a statement too ("nothing here").

    Raises:
        OffsetError: If a span ends beyond the text.
    """

    text: str
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        for span in self.spans:
            if span.end > len(self.text):
                raise OffsetError(
                    f"The span {span.key} ends beyond its text of {len(self.text)} characters."
                )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method says about one text.

    Attributes:
        spans: Predicted spans in source order; may be empty.
        score: Confidence of the text in [0, 1]: the least certain of its decisions.
    """

    spans: tuple[Span, ...]
    score: float


NO_TEXT = hashlib.sha256(b"").hexdigest()
"""Digest of the empty text."""


def text_digest(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes (lone surrogates kept), in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
