"""A tiny support set and quick settings for the label-aware method."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from model.label_aware.config import LabelAwareConfig
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS: Final = LabelSet((Label("PER", "ann"), Label("LOC", "oslo", "old bridge")))
SUPPORT: Final = (
    AnnotatedText(
        "Ann met Ben in Oslo.", (Span(0, 3, "PER"), Span(8, 11, "PER"), Span(15, 19, "LOC"))
    ),
    AnnotatedText("Eva sang in Bonn.", (Span(0, 3, "PER"), Span(12, 16, "LOC"))),
    AnnotatedText("The old bridge sang."),
)
QUICK: Final = replace(
    LabelAwareConfig(),
    rank=8,
    alpha=16,
    dimensions=16,
    rate=1e-2,
    head_rate=1e-2,
    epochs=1,
    min_steps=60,
    encoder_dropout=False,
    few_mentions=0.0,
    window=32,
    threads=1,
)
