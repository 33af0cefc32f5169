"""One arm of a study: a method with the settings in which it differs from the others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

ArmMethod = Literal["cllmfs", "full_tuning", "tagger"]

PREDICTION_SETTINGS = frozenset({"decoding", "overlaps", "sampling", "top_k"})
"""Settings of CLLMFS that a training does not depend on."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm.

    Attributes:
        name: What tables call it.
        settings: Settings that differ from the method's defaults.
        method: The method.
        source: Whether it starts from the base adapter; else from the base model alone.
        trained: Whether it is trained on the support sets; else the start answers (zero-shot).
        against: Name of the arm it is compared with; by default the study's reference.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    method: ArmMethod = "cllmfs"
    source: bool = True
    trained: bool = True
    against: str | None = None

    @property
    def slug(self) -> str:
        """Name of its file: equal for arms of several studies that are the same measurement."""
        parts: list[str] = [self.method if self.trained else "zero-shot"]
        if not self.source and self.method != "tagger":
            parts.append("no-source")
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
        if not self.source and self.method != "tagger":
            told.insert(0, "without base adapter")
        if self.method != "cllmfs":
            told.insert(0, f"method {self.method}")
        return ", ".join(told) or "the defaults"
