"""One project: what waits, what the gate says of it, every version, shadow scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.pages.heading import Heading, heading
from backend.pages.intervals import Drawn
from backend.pages.progress import Progress, progress
from backend.pages.version_rows import VersionRow, rows
from model.loop.gate import FLOOR
from model.registry import aliases, previous, run_log, runs, shadow, verdicts
from model.registry.session import Session
from model.registry.shadow import ShadowSeries
from model.registry.tables import Project
from model.registry.verdicts import VerdictView


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """Everything the project's page shows.

    Attributes:
        head: Its head.
        rows: Its versions, newest first.
        candidate: The row of the version that waits, if one does.
        served: The row of the served version.
        previous: Number of the version served before, where a roll-back leads.
        verdict: What the gate said last of the candidate.
        drawn: That verdict's interval.
        looks: Looks of the candidate's lane so far.
        floor: Held-out documents a judgement needs at least.
        indicative: Shadow scores to show because held-out documents are too few; else empty.
        running: The run in progress, if there is one.
    """

    head: Heading
    rows: list[VersionRow]
    candidate: VersionRow | None
    served: VersionRow
    previous: int | None
    verdict: VerdictView | None
    drawn: Drawn | None
    looks: int
    floor: int
    indicative: list[ShadowSeries]
    running: Progress | None

    @property
    def choices(self) -> list[VersionRow]:
        """Versions that may be promoted, the candidate first, then the newest."""
        able = [
            row
            for row in self.rows
            if row.view.number != self.head.served and row.mark.condemned_at is None
        ]
        return sorted(able, key=lambda row: row is not self.candidate)


def project_page(session: Session, row: Project, may_decide: bool, now: datetime) -> ProjectPage:
    """Read what the page shows.

    Args:
        session: An open session.
        row: The project.
        may_decide: Whether whoever looks may promote.
        now: The present time, aware.
    """
    head = heading(session, row, may_decide)
    waiting = aliases.candidate(session, row.id)
    shadows = shadow.series(session, row.id)
    table = rows(session, row.id, shadows)
    by_number = {item.view.number: item for item in table}
    candidate = by_number[waiting.number] if waiting else None
    served = by_number[head.served]
    few = any(item.is_few for item in (served, candidate) if item is not None)
    running = next((r for r in runs.recent(session, row.id) if r.state == "running"), None)
    return ProjectPage(
        head=head,
        rows=table,
        candidate=candidate,
        served=served,
        previous=previous.previous_served(session, row.id),
        verdict=candidate.verdict if candidate else None,
        drawn=candidate.drawn if candidate else None,
        looks=verdicts.looks(session, row.id, waiting.method if waiting else row.method),
        floor=FLOOR,
        indicative=[item for item in shadows if item.f1 is not None] if few else [],
        running=progress(running, run_log.lines(session, running.id), now) if running else None,
    )
