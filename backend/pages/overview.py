"""All projects with their health at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.pages.health import Notice, notices
from backend.pages.progress import Progress, progress
from model.registry import aliases, predictions, run_log, runs, verdicts, versions
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.tables_versions import TrainingRun
from model.registry.verdicts import VerdictView
from model.registry.versions import VersionView


@dataclass(frozen=True, slots=True)
class ProjectCard:
    """A project on the start page.

    Attributes:
        number: Its number in Label Studio.
        title: Its title there, never empty.
        url: Its address there.
        notices: What wants attention.
        served: The version that is served.
        candidate: The version that waits for promotion, if there is one.
        verdict: What the gate said last of the candidate.
        running: The run in progress, if there is one.
        last_run: The newest run that ended.
        policy: Who promotes.
        labels: How many labels it has.
    """

    number: int
    title: str
    url: str
    notices: tuple[Notice, ...]
    served: VersionView
    candidate: VersionView | None
    verdict: VerdictView | None
    running: Progress | None
    last_run: TrainingRun | None
    policy: str
    labels: int

    @property
    def is_well(self) -> bool:
        """Whether nothing wants attention."""
        return all(notice.level == "info" for notice in self.notices)


def card(session: Session, row: Project, now: datetime) -> ProjectCard:
    """A project's card.

    Args:
        session: An open session.
        row: The project.
        now: The present time, aware.
    """
    served = aliases.served(session, row.id)
    candidate = aliases.candidate(session, row.id)
    recent = runs.recent(session, row.id)
    running = next((run for run in recent if run.state == "running"), None)
    return ProjectCard(
        number=row.ls_id,
        title=title_of(row),
        url=f"{row.url}/projects/{row.ls_id}",
        notices=notices(row, predictions.trouble(session, served.version_id)),
        served=versions.version(session, row.id, served.number),
        candidate=versions.version(session, row.id, candidate.number) if candidate else None,
        verdict=verdicts.latest(session, candidate.version_id) if candidate else None,
        running=progress(running, run_log.lines(session, running.id), now) if running else None,
        last_run=next((run for run in recent if run.ended_at is not None), None),
        policy=row.policy,
        labels=len(row.label_set),
    )


def title_of(row: Project) -> str:
    """A project's title, or its number where it has none."""
    return row.title.strip() or f"Project {row.ls_id}"


def worst_first(cards: Sequence[ProjectCard]) -> list[ProjectCard]:
    """Projects that want attention before those that do not, else in the order given."""
    return sorted(cards, key=lambda item: item.is_well)
