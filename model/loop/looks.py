"""How often the gate may look at a candidate, and what share of false alarms a look may spend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

POLICIES: Final = ("manual", "auto", "serve-fast")
"""Who moves ``served``: a person; the gate on PROMOTE; in the fast lane every new version."""
LEVEL: Final = 0.05
LOOKS_EACH: Final = 2
"""Looks at one candidate against one served version, where a person decides."""
LOWEST_LEVEL: Final = 0.001
RESAMPLES: Final = 10_000
FINE_LEVEL: Final = 0.01
FINE_RESAMPLES: Final = 100_000
"""Draws for levels below :data:`FINE_LEVEL`, whose bounds lie far out in the tails."""
FAST_SHOTS: Final = 50
FAST_DOCUMENTS: Final = 10
"""The fast lane makes versions every few minutes: so much must be new between two looks at it."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the held-out documents.

    Attributes:
        number: From 1; 0 for none.
        level: Two-sided share of false alarms it spends, in [0, 1].
        later: The level of the next look at this pair of versions; None if this is the last.
    """

    number: int
    level: float
    later: float | None = None


NO_LOOK: Final = Look(0, 0.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was looked at so far.

    Attributes:
        policy: The project's policy.
        fast: Whether the candidate's lane is fast.
        judged: Whether the candidate has a verdict against this served version.
        lane_looks: Looks at candidates of the lane.
        pair_looks: Looks at this candidate against this served version.
        last_number: Number of the last of these, 0 if there was none.
        last_documents: Documents at the lane's last look; None if there was none.
        new_shots: Shots the candidate learnt since the version last looked at.
    """

    policy: str
    fast: bool
    judged: bool = False
    lane_looks: int = 0
    pair_looks: int = 0
    last_number: int = 0
    last_documents: int | None = None
    new_shots: int = 0


@dataclass(frozen=True, slots=True)
class NotNow:
    """Why no look is taken, and at how many documents in all one would be."""

    reason: str
    needed: int | None


def next_look(standing: Standing, documents: int, floor: int) -> Look | NotNow:
    """The look a candidate may have now.

    Args:
        standing: What was looked at so far.
        documents: Held-out documents there are.
        floor: Documents below which nothing is decided.
    """
    if documents < floor:
        return NotNow(
            f"{documents} of the {floor} held-out texts that a verdict needs are annotated.", floor
        )
    auto = standing.policy == "auto"
    if not auto and standing.pair_looks >= LOOKS_EACH:
        return NotNow(f"Looked at {LOOKS_EACH} times already: a person decides.", None)
    before = standing.last_documents
    if (
        standing.fast
        and before is not None
        and documents - before < FAST_DOCUMENTS
        and standing.new_shots < FAST_SHOTS
    ):
        return NotNow(
            f"{standing.new_shots} shots and {documents - before} held-out texts are new since "
            f"this lane was last looked at; it is again after {FAST_SHOTS} or {FAST_DOCUMENTS}.",
            before + FAST_DOCUMENTS,
        )
    if auto:
        number = standing.lane_looks + 1
        return Look(number, level_of(number), level_of(number + 1))
    level = LEVEL / LOOKS_EACH
    last = standing.pair_looks + 1 == LOOKS_EACH
    return Look(standing.last_number + 1, level, None if last else level)


def level_of(look: int) -> float:
    """The level of a lane's look where the gate moves ``served`` by itself, from 1.

    ``0.05 * 6 / (pi * look)^2``: over all looks that sums to 5 %. None is below 0.1 %.
    """
    return max(LOWEST_LEVEL, LEVEL * 6 / (math.pi * look) ** 2)


def resamples_at(level: float) -> int:
    """Draws a level needs."""
    return FINE_RESAMPLES if level < FINE_LEVEL else RESAMPLES
