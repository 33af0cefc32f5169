"""The loop's figures on both databases; what each of them means is tested at /metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from model.loop.trigger import TriggerSettings
from model.registry import projects, runs
from model.registry.base import utc_now
from model.registry.figures import RunCount, figures
from model.registry.gold_rows import held_out_count
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.session import Database
from model.registry.tables import AnnotationHead, Project, Task
from model.registry.tables_versions import Snapshot, SnapshotItem, TrainingRun


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


def test_held_out_documents_are_those_the_gate_counts(
    database: Database, make_project: Callable[..., Project]
) -> None:
    """Five are annotated: two have the same text, and one was trained on, in one project only."""
    made = [make_project(number, held_out=1.0) for number in (1, 2)]
    for project in made:
        tasks = [
            SeenTask(n, "t", text, (SeenAnnotation(n, "t", "c", "gold", False, ((0, 3, "PER"),)),))
            for n, text in enumerate(("Ada 1", "Ada 2", "Ada 2", "Ada 3", "Ada 4"), 1)
        ]
        with database.begin() as session:
            now = projects.by_id(session, project.id)
            read = PassInput(now.pass_no, now.dirty_seq, None, tasks)
            apply_pass(session, project.id, read, TriggerSettings(min_shots=10_000))
    with database.begin() as session:
        task, revision = session.execute(
            select(Task, AnnotationHead.revision_id)
            .join(AnnotationHead, AnnotationHead.task_ref == Task.id)
            .where(Task.project_id == made[0].id, Task.task_id == 4)
        ).one()
        snapshot = Snapshot(project_id=made[0].id, digest="d" * 64, label_set=[], shots=1)
        session.add(snapshot)
        session.flush()
        item = SnapshotItem(
            snapshot_id=snapshot.id,
            task_ref=task.id,
            revision_id=revision,
            text_digest=task.text_digest,
        )
        session.add(item)
    with database.read() as session:
        counted = [item.held_out for item in figures(session, utc_now()).projects]
        assert counted == [held_out_count(session, project.id) for project in made] == [3, 4]
