"""One arm of a study: a method with the settings in which it differs from the others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

ArmMethod = Literal[
    "cllmfs",
    "full_tuning",
    "label_aware",
    "tagger",
    "protobert",
    "nnshot",
    "structshot",
    "container",
    "proml",
    "tadner",
    "label_semantics",
]

PREDICTION_SETTINGS = frozenset({"decoding", "overlaps", "sampling", "top_k"})
"""Settings of CLLMFS that a training does not depend on."""

LANGUAGE_MODEL_METHODS = frozenset({"cllmfs", "full_tuning"})
"""Methods on the language model; the others are on the encoder."""

WITHOUT_SOURCE = frozenset({"tagger"})
"""Methods without a source stage."""

OVERLAPPING = MappingProxyType(
    {"cllmfs": {"overlaps": True, "reuse_words": True}, "label_aware": {"nested": True}}
)
"""Settings by which a method answers spans inside others; the other methods cannot."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm.

    Attributes:
        name: What tables call it.
        settings: Settings that differ from the method's defaults.
        method: The method.
        source: Whether it starts from the adapter of a source stage; else from the base model.
        trained: Whether it is trained on the support sets; else the start answers (zero-shot).
        against: Name of the arm it is compared with; by default the study's reference.
        start: Split of a source stage of its own; empty for the method's usual one.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    method: ArmMethod = "cllmfs"
    source: bool = True
    trained: bool = True
    against: str | None = None
    start: str = ""

    @property
    def from_source(self) -> bool:
        """Whether there is an adapter of a source stage that it starts from."""
        return self.source and self.method not in WITHOUT_SOURCE

    @property
    def on_language_model(self) -> bool:
        """Whether its base model is the language model; else it is the encoder."""
        return self.method in LANGUAGE_MODEL_METHODS

    @property
    def slug(self) -> str:
        """Name of its file: equal for arms of several studies that are the same measurement."""
        parts: list[str] = [self.method if self.trained else "zero-shot"]
        if not self.trained and not self.on_language_model:
            parts.append(self.method)
        if not self.source and self.method not in WITHOUT_SOURCE:
            parts.append("no-source")
        if self.start:
            parts.append(f"start={self.start}")
        parts += [
            f"{name}={json.dumps(value)}".replace('"', "").replace(" ", "")
            for name, value in sorted(self.settings.items())
        ]
        return "+".join(parts)

    @property
    def shown_settings(self) -> str:
        """What distinguishes it, in words and settings."""
        told = [f"{name}={json.dumps(value)}" for name, value in sorted(self.settings.items())]
        if not self.trained:
            told.insert(0, "not trained on the support sets")
        if not self.source and self.method not in WITHOUT_SOURCE:
            told.insert(0, "without base adapter")
        if self.start:
            told.insert(0, f"source stage {self.start}")
        if self.method != "cllmfs":
            told.insert(0, f"method {self.method}")
        return ", ".join(told) or "the defaults"

    def with_overlaps(self) -> Arm:
        """The same arm, answering spans inside others where its method can."""
        return replace(self, settings={**OVERLAPPING.get(self.method, {}), **self.settings})
