"""What the source stage asks for by name: the source corpus' types in many words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Concept:
    """Types of the source corpus to ask for together.

    Attributes:
        names: Ways to say it in a question.
        descriptions: Clauses that define it.
        types: Types of the source corpus it covers, exact or by their part before the hyphen.
        broad: Whether the corpus annotates only some of its names, so that it may be asked only
            of texts in which every name is annotated.
    """

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    types: frozenset[str]
    broad: bool

    def covers(self, label: str) -> bool:
        """Whether a type of the source corpus belongs to this concept."""
        return is_of(label, self.types)


def is_of(label: str, types: frozenset[str]) -> bool:
    """Whether a type is one of ``types``, exactly or by its part before the hyphen."""
    return label in types or label.partition("-")[0] in types


@cache
def concepts() -> tuple[Concept, ...]:
    """The concepts that ship with nerloop, broad ones first."""
    text = files("model.cllmfs").joinpath("source_types.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return tuple(
        Concept(
            tuple(item["names"]),
            tuple(item["descriptions"]),
            frozenset(item["types"].split()),
            broad=key == "broad",
        )
        for key in ("broad", "fine")
        for item in content[key]
    )
