"""One run of a measurement, a support set and what came of it, as a value and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from model.evaluation.metrics import Counts, Scores

TextCounts = tuple[int, int, int]
"""(correct, predicted, gold) of one sentence."""
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Run:
    """What one support set gave; fractions lie in [0, 1].

    Attributes:
        support: Name of the support set; None for zero-shot.
        support_digest: Digest of its texts and spans; None for zero-shot.
        support_texts: Texts trained on.
        texts: Sentences scored.
        precision: Strict micro precision.
        recall: Strict micro recall.
        f1: Strict micro F1.
        io_f1: Micro F1 with adjacent spans of one label merged in gold and prediction.
        type_blind_f1: Micro F1 of boundaries alone.
        false_nonempty: Pairs of a sentence and a label with predicted but without gold spans.
        per_label: Precision, recall, F1, gold and predicted spans of each label that occurs.
        seconds_train: Wall time of the fit; 0 for zero-shot.
        seconds_predict: Wall time of all predictions.
        peak_rss_mb: Highest resident memory of the process so far, in 2**20 bytes.
        seed: Seed of the training.
        adapter_digest: Digest of the files of the adapter that was scored.
        train_report: What the method reports about its fit; empty for zero-shot.
        per_text: (correct, predicted, gold) of each sentence of the test, in order; None where the
            sentence was left out because the support set holds it.
        settings_digest: Digest of all that determines the run; equal digests need no second run.
        code: Version of the code that measured.
        io_counts: (correct, predicted, gold) behind ``io_f1``; None in older files.
    """

    support: str | None
    support_digest: str | None
    support_texts: int
    texts: int
    precision: float
    recall: float
    f1: float
    io_f1: float
    type_blind_f1: float
    false_nonempty: int
    per_label: dict[str, dict[str, float]]
    seconds_train: float
    seconds_predict: float
    peak_rss_mb: float
    seed: int
    adapter_digest: str
    per_text: tuple[TextCounts | None, ...]
    settings_digest: str
    code: str = ""
    train_report: dict[str, Any] = field(default_factory=dict)
    io_counts: TextCounts | None = None

    def f1_without(self, left_out: Collection[int]) -> float:
        """Strict micro F1 over the scored sentences at other places than these."""
        total = Counts()
        for place, counts in enumerate(self.per_text):
            if counts is not None and place not in left_out:
                total += Counts(*counts)
        return round(total.f1, DIGITS)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Run:
        """Read what :meth:`to_json` wrote; figures derived from a run are passed over.

        Raises:
            KeyError: If a figure is missing.
            TypeError: If the value has another shape.
        """
        value = {"io_counts": None, **value}
        known = {name: value[name] for name in cls.__dataclass_fields__}
        rows: Sequence[Sequence[int] | None] = value["per_text"]
        known["per_text"] = tuple(map(_counts, rows))
        known["io_counts"] = _counts(value["io_counts"])
        return cls(**known)


def _counts(row: Sequence[int] | None) -> TextCounts | None:
    return None if row is None else (int(row[0]), int(row[1]), int(row[2]))


def figures(scores: Scores) -> dict[str, Any]:
    """The figures of a run that come from its scores, by the names of :class:`Run`."""
    micro = scores.micro
    return {
        "precision": round(micro.precision, DIGITS),
        "recall": round(micro.recall, DIGITS),
        "f1": round(micro.f1, DIGITS),
        "io_f1": round(scores.io.f1, DIGITS),
        "type_blind_f1": round(scores.type_blind.f1, DIGITS),
        "io_counts": (scores.io.correct, scores.io.predicted, scores.io.gold),
        "false_nonempty": scores.false_nonempty,
        "per_label": {label: _label_row(counts) for label, counts in scores.per_label.items()},
    }


def _label_row(counts: Counts) -> dict[str, float]:
    return {
        "precision": round(counts.precision, DIGITS),
        "recall": round(counts.recall, DIGITS),
        "f1": round(counts.f1, DIGITS),
        "gold": counts.gold,
        "predicted": counts.predicted,
    }
