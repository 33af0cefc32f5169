"""The loop's figures on both databases; what each of them means is tested at /metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from model.registry import runs
from model.registry.base import utc_now
from model.registry.figures import RunCount, figures
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import TrainingRun


def test_runs_are_counted_and_timed(
    database: Database, make_project: Callable[..., Project]
) -> None:
    now = utc_now()
    project = make_project()
    with database.begin() as session:
        for state, kind, seconds in (
            ("failed", "memory", 5),
            ("failed", "memory", 9),
            ("succeeded", None, 30),
        ):
            made = TrainingRun(
                project_id=project.id,
                method="cllmfs",
                state=state,
                reason="x",
                attempt=2,
                fence=3,
                outcome=None if kind else "version",
                failure_kind=kind,
                started_at=now - timedelta(seconds=seconds),
                ended_at=now,
            )
            session.add(made)
        asked = runs.request(session, project.id, "cllmfs", "asked for", None)
        session.get_one(TrainingRun, asked).requested_at = now - timedelta(seconds=70)
    with database.read() as session:
        found = figures(session, now)
    assert found.runs == (
        RunCount(project.uid, "cllmfs", "failed", "memory", 2),
        RunCount(project.uid, "cllmfs", "requested", "", 1),
        RunCount(project.uid, "cllmfs", "succeeded", "version", 1),
    )
    assert found.revocations == 3
    assert sorted(found.run_seconds["cllmfs"]) == [5.0, 9.0, 30.0]
    assert found.runs_waiting == {"cllmfs": now - timedelta(seconds=70)}
    (one,) = found.projects
    assert (one.uid, one.served, one.held_out, one.untold) == (project.uid, 0, 0, 0)
