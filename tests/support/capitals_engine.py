"""An engine for tests that needs no model: every capitalised word is the first label."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from threading import Lock

from model.method import AdapterFiles
from model.spans import LabelSet, Prediction, Span

BASE_DIGEST = "b" * 64


class CapitalsEngine:
    """Finds capitalised words; remembers what it was asked. ``poison`` texts raise."""

    def __init__(self, poison: str = "POISON") -> None:
        self.poison = poison
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.lock = Lock()

    @property
    def base_digest(self) -> str:
        return BASE_DIGEST

    def ensure(self, digest: str, read: Callable[[], AdapterFiles]) -> None:
        if digest not in self.loaded:
            read()
            self.loaded.append(digest)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        assert adapter in self.loaded
        if any(self.poison in text for text in texts):
            raise RuntimeError("this text is too much")
        with self.lock:
            self.texts += texts
        name = labels.names[0]
        return [
            Prediction(
                tuple(
                    Span(found.start(), found.end(), name, 0.75)
                    for found in re.finditer(r"\b[A-Z]\w+", text)
                ),
                0.75,
            )
            for text in texts
        ]
