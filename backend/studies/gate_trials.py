"""The shipped gate on versions whose true difference is known: how often it errs, what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from backend.studies.gate_documents import DrawnDocuments, RealDocuments, pair
from model.evaluation.paired import PairedCounts
from model.loop.gate import Judgement, judge
from model.loop.looks import LEVEL, LOOKS_EACH, Look, level_of

F1: Final = 0.70
"""What is served finds."""
SIZES: Final = (25, 50, 100, 200, 500, 1000, 2000)
GAIN_SIZES: Final = (25, 50, 100, 200, 500)
GAINS: Final = (0.05, 0.10)
TWO_LOOK_SIZES: Final = (25, 50, 100)
SECOND_AT_MOST: Final = 200
"""Documents at which the second look is taken where HOLD asks for more."""
PROJECT_LOOKS: Final = 8
PROJECT_BEGINS: Final = 50
PROJECT_GROWS: Final = 10
FIRST_LOOK: Final = Look(1, LEVEL / LOOKS_EACH, LEVEL / LOOKS_EACH)
SECOND_LOOK: Final = Look(2, LEVEL / LOOKS_EACH)


@dataclass
class Tally:
    """Verdicts of many gates in one setting.

    Attributes:
        documents: Held-out documents at the first look.
        gain: True difference of F1, candidate minus served.
        verdicts: How many gates ended in each verdict at the first look.
        promoted_in_the_end: PROMOTE after the second look, where one was taken too.
    """

    documents: int
    gain: float
    verdicts: dict[str, int] = field(default_factory=lambda: {"PROMOTE": 0, "HOLD": 0, "REJECT": 0})
    promoted_in_the_end: int | None = None

    @property
    def gates(self) -> int:
        """How many gates there were."""
        return sum(self.verdicts.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried.

    Attributes:
        gates: Gates of a cell up to 200 documents; fewer beyond, in proportion.
        projects: Projects under the policy ``auto``.
        seed: Seeds everything.
    """

    gates: int = 1000
    projects: int = 100
    seed: int = 1

    def gates_at(self, documents: int) -> int:
        """Gates of a cell of so many documents: large ones take long."""
        return max(1, min(self.gates, self.gates * 200 // documents))


def drawn_cell(documents: int, gain: float, gates: int, seed: int) -> Tally:
    """One look each at pairs of versions whose expected F1 differ by ``gain``."""
    return _one_look(
        documents, gain, gates, _generator(seed, documents, round(1000 * gain)), _drawn(gain)
    )


def real_cell(real: RealDocuments, documents: int, gates: int, seed: int) -> Tally:
    """One look each at real answers swapped at random."""
    return _one_look(documents, 0.0, gates, _generator(seed, documents, 7001), real.draw)


def two_looks_cell(documents: int, gain: float, gates: int, seed: int) -> Tally:
    """Both looks that ``manual`` allows: after HOLD once more, at the documents it asked for.

    Where it asks for more than :data:`SECOND_AT_MOST`, the second look is taken there.
    """
    generator = _generator(seed, documents, 8000 + round(1000 * gain))
    tally = Tally(documents, gain, promoted_in_the_end=0)
    for number in range(gates):
        everything = _drawn(gain)(SECOND_AT_MOST, generator)
        said = judge(_first(everything, documents), FIRST_LOOK, seed=number)
        tally.verdicts[said.verdict] += 1
        if said.verdict == "HOLD":
            later = min(said.needed or SECOND_AT_MOST, SECOND_AT_MOST)
            said = judge(_first(everything, later), SECOND_LOOK, seed=number)
        tally.promoted_in_the_end = (tally.promoted_in_the_end or 0) + (said.verdict == "PROMOTE")
    return tally


def projects_fooled(projects: int, seed: int) -> int:
    """Projects under ``auto`` in which a version no better than what is served was promoted.

    Each judges a new, equally good version :data:`PROJECT_LOOKS` times against the same served
    one, on the same slice, which grows meanwhile; the levels are those of a lane's looks.
    """
    generator = _generator(seed, projects, 9001)
    largest = PROJECT_BEGINS + PROJECT_GROWS * (PROJECT_LOOKS - 1)
    fooled = 0
    for _ in range(projects):
        slice_ = DrawnDocuments(largest, generator)
        served = slice_.answers(F1)
        for place in range(PROJECT_LOOKS):
            documents = PROJECT_BEGINS + PROJECT_GROWS * place
            counts = pair((slice_.answers(F1), served), documents)
            look = Look(place + 1, level_of(place + 1), level_of(place + 2))
            if judge(counts, look, seed=place).verdict == "PROMOTE":
                fooled += 1
                break
    return fooled


def measured(plan: Plan, real: RealDocuments | None, told: Callable[[str], None]) -> dict[str, Any]:
    """All cells as JSON; those of real answers only where there are some, ``told`` of each."""

    def rows(name: str, cells: Iterator[Tally]) -> list[dict[str, Any]]:
        found = []
        for cell in cells:
            told(f"{name}: {cell.documents} documents, {cell.gates} gates, {cell.verdicts}")
            found.append(asdict(cell))
        return found

    def at(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
        return [(size, plan.gates_at(size)) for size in sizes]

    seed = plan.seed
    value: dict[str, Any] = {
        "plan": asdict(plan),
        "equal": rows("equal", (drawn_cell(n, 0.0, g, seed) for n, g in at(SIZES))),
        "gains": [
            row
            for gain in GAINS
            for row in rows(
                f"gain {gain}", (drawn_cell(n, gain, g // 2 or 1, seed) for n, g in at(GAIN_SIZES))
            )
        ],
        "two_looks": rows(
            "two looks", (two_looks_cell(n, 0.0, g, seed) for n, g in at(TWO_LOOK_SIZES))
        ),
    }
    if real is not None:
        there = tuple(size for size in SIZES if size <= real.sentences)
        value["real"] = rows("real", (real_cell(real, n, g, seed) for n, g in at(there)))
        value["real_sentences"] = real.sentences
    value["projects"] = {"looks": PROJECT_LOOKS, "begins": PROJECT_BEGINS}
    value["projects"]["fooled"] = projects_fooled(plan.projects, seed)
    return value


def _one_look(
    documents: int,
    gain: float,
    gates: int,
    generator: np.random.Generator,
    draw: Callable[[int, np.random.Generator], PairedCounts],
) -> Tally:
    tally = Tally(documents, gain)
    for number in range(gates):
        said: Judgement = judge(draw(documents, generator), FIRST_LOOK, seed=number)
        tally.verdicts[said.verdict] += 1
    return tally


def _drawn(gain: float) -> Callable[[int, np.random.Generator], PairedCounts]:
    def draw(documents: int, generator: np.random.Generator) -> PairedCounts:
        there = DrawnDocuments(documents, generator)
        return pair((there.answers(F1 + gain), there.answers(F1)), documents)

    return draw


def _first(counts: PairedCounts, documents: int) -> PairedCounts:
    return pair((counts.first, counts.second), documents)


def _generator(seed: int, *cell: int) -> np.random.Generator:
    return np.random.default_rng([seed, *cell])
