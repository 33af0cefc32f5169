"""What changed in the registry since the last look, as lines for the person at the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.registry import aliases, predictions, projects, runs
from model.registry.session import Database

LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A training run as it stands.

    Attributes:
        state: ``requested``, ``running``, ``succeeded`` or ``failed``.
        reason: Why it was started.
        ending: What came of it, or why it failed; empty while it runs.
    """

    state: str
    reason: str
    ending: str = ""


@dataclass(frozen=True, slots=True)
class ProjectSeen:
    """A project as it stands.

    Attributes:
        title: Its title in Label Studio.
        served: Number of the served version.
        candidate: Number of the version that waits, if one does.
        runs: The newest runs by id.
        trouble: Why Label Studio or its labeling config cannot be read; empty if all is well.
    """

    title: str
    served: int
    candidate: int | None = None
    runs: Mapping[int, RunSeen] = field(default_factory=dict)
    trouble: str = ""


Seen = Mapping[int, ProjectSeen]
"""Projects by their number in Label Studio."""


def look(database: Database) -> dict[int, ProjectSeen]:
    """What the registry says now, of connected projects.

    Raises:
        RegistryError: If the database does not answer.
    """
    seen = {}
    with database.read() as session:
        for project in projects.connected(session):
            waiting = aliases.candidate(session, project.id)
            recent = runs.recent(session, project.id, LOOKED_AT)
            served = aliases.served(session, project.id)
            unpredicted = predictions.trouble(session, served.version_id)
            seen[project.ls_id] = ProjectSeen(
                title=project.title,
                served=served.number,
                candidate=waiting.number if waiting else None,
                runs={
                    run.id: RunSeen(run.state, run.reason, run.failure_reason or run.outcome or "")
                    for run in recent
                },
                trouble=project.connection_error or project.config_error or unpredicted or "",
            )
    return seen


def news(before: Seen, after: Seen, command: str) -> list[str]:
    """The lines to print.

    Args:
        before: The last look.
        after: This look.
        command: How ``nerloop`` is called from here, for the commands to copy.

    Returns:
        One line per thing worth knowing, oldest first.
    """
    lines: list[str] = []
    for number, now in after.items():
        # at first sight only what still waits or hurts is news
        then = before.get(number) or ProjectSeen(now.title, now.served, runs=now.runs)
        lines += _of_runs(number, then.runs, now.runs)
        chosen = f" --project {number}" if len(after) > 1 else ""
        if now.candidate is not None and now.candidate != then.candidate:
            lines.append(
                f"version {number}.{now.candidate} waits for you: {command} promote "
                f'{now.candidate}{chosen} --reason "..."'
            )
        if now.served != then.served:
            lines.append(f"version {number}.{now.served} is served now")
        if now.trouble and now.trouble != then.trouble:
            lines.append(f"project {number}: {now.trouble}")
        if then.trouble and not now.trouble:
            lines.append(f"project {number}: all is well again")
    return lines


def _of_runs(number: int, then: Mapping[int, RunSeen], now: Mapping[int, RunSeen]) -> Sequence[str]:
    lines = []
    for run_id, run in sorted(now.items()):
        known = then.get(run_id)
        if known is not None and known.state == run.state:
            continue
        if run.state == "requested":
            lines.append(f"training run {run_id} of project {number} waits its turn ({run.reason})")
        elif run.state == "running":
            lines.append(f"training run {run_id} of project {number} started ({run.reason})")
        elif run.state == "succeeded":
            lines.append(f"training run {run_id} of project {number} ended: {run.ending}")
        elif run.state == "failed":
            lines.append(f"training run {run_id} of project {number} failed: {run.ending}")
    return lines
