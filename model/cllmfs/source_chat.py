"""Short informal texts written for nerloop, with names of the source corpus put in."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from model.cllmfs.source_concepts import is_of
from model.spans import AnnotatedText, Span

_SLOT = re.compile(r"^\{([a-z]+)\}$")
_FIRST = "first"
_LONGEST = 4
_PLACES = frozenset(("city", "country"))
_PEOPLES = re.compile(r"(?:an|ans|ese|ish|ch|i|s)$")


@dataclass(frozen=True, slots=True)
class ChatTexts:
    """Sentences with slots.

    Attributes:
        templates: Tokens with one space between them; ``{slot}`` stands for a name.
        slots: For each slot the types of the source corpus that fill it.
    """

    templates: tuple[str, ...]
    slots: Mapping[str, frozenset[str]]


@cache
def chat_texts() -> ChatTexts:
    """The texts that ship with nerloop."""
    text = files("model.cllmfs").joinpath("source_chat.json").read_text(encoding="utf-8")
    content = json.loads(text)
    slots = {name: frozenset(types.split()) for name, types in content["slots"].items()}
    return ChatTexts(tuple(content["templates"]), slots)


class ChatWriter:
    """Fills the templates with names of a corpus.

    Args:
        corpus: Texts with spans of the source types.
    """

    def __init__(self, corpus: Sequence[AnnotatedText]) -> None:
        texts = chat_texts()
        fillers: dict[str, dict[tuple[str, str], None]] = {name: {} for name in texts.slots}
        for surface, label in _names(corpus):
            for slot, types in texts.slots.items():
                if not is_of(label, types):
                    continue
                if slot in _PLACES and _PEOPLES.search(surface):
                    continue  # "Korean" is annotated like "Korea"
                part = surface.split(" ")[0] if slot == _FIRST else surface
                if slot != _FIRST or (part.isalpha() and len(part) > 2):
                    fillers[slot][part, label] = None
        self._fillers = {slot: list(names) for slot, names in fillers.items()}
        usable = {slot for slot, names in self._fillers.items() if names}
        self._templates = [
            template
            for template in texts.templates
            if all(match in usable for match in re.findall(r"\{([a-z]+)\}", template))
        ]

    def write(self, chance: random.Random) -> AnnotatedText:
        """One text; its spans carry the source types of the names."""
        tokens: list[str] = []
        spans: list[Span] = []
        position = 0
        for token in chance.choice(self._templates).split(" "):
            slot = _SLOT.match(token)
            if slot is None:
                tokens.append(token)
            else:
                surface, label = chance.choice(self._fillers[slot.group(1)])
                spans.append(Span(position, position + len(surface), label))
                tokens.append(surface)
            position += len(tokens[-1]) + 1
        return AnnotatedText(" ".join(tokens), tuple(spans))


def _names(corpus: Sequence[AnnotatedText]) -> Iterator[tuple[str, str]]:
    for item in corpus:
        for span in item.spans:
            surface = item.text[span.start : span.end]
            short = len(surface.split(" ")) <= _LONGEST
            if short and surface[0].isupper() and len(surface) > 1:
                yield surface, span.label
