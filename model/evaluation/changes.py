"""What a second answer changes against a first one, seen from the gold of a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from model.spans import Span

Kind = Literal["fixed", "broken", "other"]


@dataclass(frozen=True, slots=True)
class LabelChange:
    """Errors of one label that only one of two answers makes.

    Attributes:
        label: The label of the wrong or missing span.
        gone: Errors of the first answer that the second does not make.
        new: Errors of the second answer that the first does not make.
    """

    label: str
    gone: int
    new: int


@dataclass(frozen=True, slots=True)
class Change:
    """How two answers to one text differ.

    An error is a gold span that is missing, or a span that is not gold; a span with the wrong
    boundary is both.

    Attributes:
        kind: ``fixed`` if errors only go away, ``broken`` if they only come, else ``other``.
        gone: Errors of the first answer that the second does not make.
        new: Errors of the second answer that the first does not make.
        labels: The same by label, in the order of the names; labels without a change are left out.
    """

    kind: Kind
    gone: int
    new: int
    labels: tuple[LabelChange, ...]


def change_of(gold: Iterable[Span], first: Iterable[Span], second: Iterable[Span]) -> Change | None:
    """Compare two answers to one text; spans are the same if boundaries and label are.

    Args:
        gold: What people annotated.
        first: The one answer; its scores do not count.
        second: The other.

    Returns:
        The change from the first to the second, or None if both say the same.
    """
    truth = {span.key for span in gold}
    before = truth ^ {span.key for span in first}
    after = truth ^ {span.key for span in second}
    gone, new = before - after, after - before
    if not gone and not new:
        return None
    by_label = Counter(label for _, _, label in gone), Counter(label for _, _, label in new)
    labels = tuple(
        LabelChange(label, by_label[0][label], by_label[1][label])
        for label in sorted(by_label[0].keys() | by_label[1].keys())
    )
    kind: Kind = "other" if gone and new else "fixed" if gone else "broken"
    return Change(kind, len(gone), len(new), labels)
