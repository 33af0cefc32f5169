"""The gate: whether a candidate is better than what is served, and how certain that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

from model.evaluation.paired import Difference, PairedCounts, differences
from model.loop.looks import NO_LOOK, POLICIES, Look, resamples_at

__all__ = ["POLICIES", "Judgement", "LabelScore", "judge"]

FLOOR: Final = 25
"""Documents below which an interval of the bootstrap is too narrow to decide by."""
GUARD_SPANS: Final = 20
GUARD_FALL: Final = 0.05
"""A label with so many gold spans may not certainly fall by more than this, in F1."""
HARM: Final = 0.005
"""A loss of F1 that nobody would notice."""
SMALLEST_GAIN: Final = 0.01
"""No more documents are asked for than a gain of this size needs."""
POWER: Final = 0.84
"""Standard deviations beyond the bound at which a gain is found four times in five."""

VerdictName = Literal["PROMOTE", "HOLD", "REJECT"]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """What the gate saw of one label; differences are candidate minus served.

    Attributes:
        label: Its name.
        gold: Gold spans of it in the held-out documents.
        candidate_f1: In [0, 1].
        served_f1: In [0, 1].
        delta: Their difference.
        low: Lower end of its interval; its level is the look's, shared by all guarded labels.
        high: Upper end.
        guarded: Whether there are enough spans for the guard to watch this label.
    """

    label: str
    gold: int
    candidate_f1: float
    served_f1: float
    delta: float
    low: float
    high: float
    guarded: bool

    @property
    def fell(self) -> bool:
        """Whether the guard refuses the candidate for this label."""
        return self.guarded and self.delta < -GUARD_FALL and self.high < 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate says.

    Attributes:
        verdict: ``PROMOTE``, ``HOLD`` or ``REJECT``.
        reason: Why, in a sentence for an admin.
        look: The look it took, with its level.
        documents: Held-out documents both versions answered.
        needed: Documents in all that would decide; None where more of them would not help.
        no_harm: Whether a loss of more than half a point is unlikely.
        candidate_f1: In [0, 1]; None where nothing was compared.
        served_f1: In [0, 1].
        delta: Candidate minus served.
        low: Lower end of its interval; None where no look was taken.
        high: Upper end.
        label_scores: The same for each label that occurs.
        broken: Whether the candidate cannot be used at all.
    """

    verdict: VerdictName
    reason: str
    look: Look = NO_LOOK
    documents: int = 0
    needed: int | None = None
    no_harm: bool = False
    candidate_f1: float | None = None
    served_f1: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    label_scores: tuple[LabelScore, ...] = ()
    broken: bool = False


def judge(counts: PairedCounts, look: Look, *, seed: int) -> Judgement:
    """Compare a candidate with what is served on the same documents.

    Args:
        counts: Candidate first, served second; at least :data:`FLOOR` documents.
        look: The look this takes.
        seed: Seeds the draws.

    Raises:
        ValueError: If there are too few documents for any verdict.
    """
    number = counts.documents
    if number < FLOOR:
        raise ValueError(f"a verdict needs {FLOOR} documents, but there are {number}")
    whole, labels = _compared(counts, look.level, seed)
    verdict, why = _decide(whole, labels)
    no_harm = whole.delta >= 0 and whole.low > -HARM
    level = look.level if look.later is None else look.later
    needed = needed_documents(whole, number, level) if verdict == "HOLD" else None
    said = f"{_figures(whole)} on {number} held-out texts{why}"
    return Judgement(
        verdict=verdict,
        reason=f"{said}{_outlook(whole, needed, no_harm, look)}.",
        look=look,
        documents=number,
        needed=needed,
        no_harm=no_harm,
        candidate_f1=whole.first,
        served_f1=whole.second,
        delta=whole.delta,
        low=whole.low,
        high=whole.high,
        label_scores=labels,
    )


def indicative(counts: PairedCounts | None, reason: str, needed: int | None) -> Judgement:
    """HOLD without a look: figures may be shown, but nothing is decided by them.

    Args:
        counts: Candidate first, served second; None if they were not compared.
        reason: Why no look was taken.
        needed: Documents in all at which one would be.
    """
    if counts is None or not counts.documents:
        return Judgement("HOLD", reason, needed=needed)
    # one draw: the interval is not used
    whole, _ = differences(counts, level=1.0, label_level=1.0, draws=1, seed=0)
    return Judgement(
        "HOLD",
        reason,
        documents=counts.documents,
        needed=needed,
        candidate_f1=whole.first,
        served_f1=whole.second,
        delta=whole.delta,
    )


def needed_documents(whole: Difference, number: int, level: float) -> int:
    """Documents in all that would decide, if the difference is what it looks like.

    ``number * ((z + 0.84) * error / max(delta, 0.01))^2``, where z leaves half the level above it:
    so many documents find such a gain four times in five. Rounded up to two digits, and at least
    half as many again as there are.

    Args:
        whole: The difference seen, with its standard error.
        number: On so many documents.
        level: The two-sided level of the look they are for, in (0, 1).
    """
    z = NormalDist().inv_cdf(1 - level / 2)
    factor = math.pow((z + POWER) * whole.error / max(whole.delta, SMALLEST_GAIN), 2)
    wanted = number * max(factor, 1.5)
    step: int = 10 ** max(0, math.floor(math.log10(wanted)) - 1)
    return math.ceil(wanted / step) * step


def points(difference: float) -> str:
    """A difference of F1 in points, as ``+3.1`` or ``−0.4``."""
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def _compared(
    counts: PairedCounts, level: float, seed: int
) -> tuple[Difference, tuple[LabelScore, ...]]:
    watched = int((counts.first[:, :, 2].sum(axis=1) >= GUARD_SPANS).sum())
    whole, parts = differences(
        counts,
        level=level,
        # all guards together refuse no more equally good versions than one interval does
        label_level=level / max(1, watched),
        draws=resamples_at(level),
        seed=seed,
    )
    return whole, tuple(
        LabelScore(name, d.gold, d.first, d.second, d.delta, d.low, d.high, d.gold >= GUARD_SPANS)
        for name, d in zip(counts.labels, parts, strict=True)
    )


def _decide(whole: Difference, labels: tuple[LabelScore, ...]) -> tuple[VerdictName, str]:
    if whole.high < 0:
        return "REJECT", ": worse than what is served"
    fallen = [label for label in labels if label.fell]
    if fallen:
        told = ", ".join(
            f"{label.label} falls by {points(-label.delta)[1:]} points "
            f"({points(label.low)} to {points(label.high)} on {label.gold} spans)"
            for label in fallen
        )
        return "REJECT", f", but {told}"
    if whole.low > 0:
        return "PROMOTE", ": better than what is served"
    return "HOLD", ": not certain yet" if whole.error else ": both versions are equally right"


def _outlook(whole: Difference, needed: int | None, no_harm: bool, look: Look) -> str:
    if needed is None:
        return ""
    if whole.delta < SMALLEST_GAIN:
        told = f"; about {needed:,} would show a gain of one point"
    else:
        told = f"; about {needed:,} would decide"
    if look.later is None:
        told += ". This was the last look at this version: a person decides"
    if no_harm:
        told += ". A loss of more than half a point is unlikely"
    return told


def _figures(whole: Difference) -> str:
    return f"{points(whole.delta)} points ({points(whole.low)} to {points(whole.high)})"
