"""One version: what it is, what it was made from, what was said of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from backend.pages.heading import Heading, heading
from backend.pages.intervals import Drawn, drawn, reach
from backend.pages.version_rows import VersionRow, rows
from model.registry import lineage, shadow, verdicts
from model.registry.lineage import Lineage
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.verdicts import VerdictView

SHOWN_ITEMS = 300
"""Annotations listed on the page; the command line lists all."""


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict with its interval and those of its labels, drawn to one scale."""

    verdict: VerdictView
    drawn: Drawn | None
    labels: tuple[Drawn | None, ...]


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Everything the version's page shows.

    Attributes:
        head: The project's head.
        row: The version.
        said: Every verdict, newest first.
        origin: Where it comes from.
        config: Its configuration by name, sorted.
        report: Figures of its fit by name, sorted.
        export: The command that writes it as a plain adapter folder.
        shown_items: How many annotations are listed at most.
    """

    head: Heading
    row: VersionRow
    said: tuple[Said, ...]
    origin: Lineage
    config: tuple[tuple[str, str], ...]
    report: tuple[tuple[str, str], ...]
    export: str
    shown_items: int = SHOWN_ITEMS

    @property
    def is_served(self) -> bool:
        """Whether this is the version that is served."""
        return self.row.view.number == self.head.served

    @property
    def changed_since(self) -> int:
        """Annotations that say something else today, or are gone."""
        return sum(1 for item in self.origin.items if item.deleted or not item.current)


def version_page(session: Session, row: Project, number: int, may_decide: bool) -> VersionPage:
    """Read what the page shows.

    Raises:
        UnknownVersionError: If the project has none of that number.
    """
    origin = lineage.lineage(session, row.id, number)
    shadows = shadow.series(session, row.id)
    own = next(r for r in rows(session, row.id, shadows) if r.view.number == number)
    return VersionPage(
        head=heading(session, row, may_decide),
        row=own,
        said=tuple(_said(item) for item in verdicts.of_version(session, own.view.id)),
        origin=origin,
        config=named(own.view.config),
        report=named(own.view.report),
        export=f"nerloop versions export {number} FOLDER --project {row.ls_id}",
    )


def named(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """A mapping as sorted pairs of words; anything nested as JSON."""
    return tuple(
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in sorted(values.items())
    )


def _said(verdict: VerdictView) -> Said:
    scores = verdict.label_scores
    span = reach(bound for score in scores for bound in (score.low, score.high))
    whole = reach((verdict.low, verdict.high))
    return Said(
        verdict=verdict,
        drawn=drawn(verdict.delta, verdict.low, verdict.high, whole),
        labels=tuple(drawn(score.delta, score.low, score.high, span) for score in scores),
    )
