"""The versions of a project as a table: scores, intervals, verdicts, state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.pages.intervals import Drawn, drawn, f1_bounds, reach
from model.loop.gate import FLOOR
from model.registry import evaluations, marks, verdicts, versions
from model.registry.marks import Mark
from model.registry.session import Session
from model.registry.shadow import ShadowSeries
from model.registry.verdicts import VerdictView
from model.registry.versions import VersionView


@dataclass(frozen=True, slots=True)
class Indicative:
    """A shadow score that stands in while there are too few held-out documents."""

    f1: float
    low: float | None
    high: float | None
    documents: int
    stream: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One line of the table.

    Attributes:
        view: The version.
        low: Lower bound of its F1's 95 % interval, in [0, 1]; None unscored.
        high: Upper bound.
        verdict: What the gate said last; None if it never did.
        looks: How often the gate looked at it.
        drawn: The interval of its difference to what was served then.
        mark: Pinned, archived and so on.
        indicative: A shadow score, where the held-out documents are too few.
    """

    view: VersionView
    low: float | None
    high: float | None
    verdict: VerdictView | None
    looks: int
    drawn: Drawn | None
    mark: Mark
    indicative: Indicative | None = None

    @property
    def is_few(self) -> bool:
        """Whether its held-out documents are too few for a judgement."""
        return self.view.documents < FLOOR


def rows(
    session: Session, project_id: int, shadows: Sequence[ShadowSeries] = ()
) -> list[VersionRow]:
    """Every version, newest first.

    Args:
        session: An open session.
        project_id: The project.
        shadows: Shadow scores, shown where held-out documents are too few.
    """
    said: dict[int, list[VerdictView]] = {}
    for verdict in verdicts.of_project(session, project_id):
        said.setdefault(verdict.candidate, []).append(verdict)
    span = reach(bound for found in said.values() for bound in (found[0].low, found[0].high))
    marked = marks.marks_of(session, project_id)
    found = [
        _row(session, view, said.get(view.number, []), marked, span, shadows)
        for view in versions.versions(session, project_id)
    ]
    return found[::-1]


def _row(
    session: Session,
    view: VersionView,
    said: Sequence[VerdictView],
    marked: Mapping[int, Mark],
    span: float,
    shadows: Sequence[ShadowSeries],
) -> VersionRow:
    scored = evaluations.latest(session, view.id)
    bounds = f1_bounds(scored.documents) if scored else None
    last = said[0] if said else None
    return VersionRow(
        view=view,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        verdict=last,
        looks=sum(1 for verdict in said if verdict.look > 0),
        drawn=drawn(last.delta, last.low, last.high, span) if last else None,
        mark=marked.get(view.id, Mark()),
        indicative=indicative(shadows, view) if view.documents < FLOOR else None,
    )


def indicative(shadows: Sequence[ShadowSeries], view: VersionView) -> Indicative | None:
    """The shadow score of a version with the most documents, uniform streams before hard texts."""
    own = [item for item in shadows if item.number == view.number and item.f1 is not None]
    for streams in (("held-out", "random"), ("active",)):
        found = [item for item in own if item.stream in streams]
        if found:
            best = max(found, key=lambda item: item.documents)
            return Indicative(best.f1 or 0.0, best.low, best.high, best.documents, best.stream)
    return None
