"""Lineage: every annotation a version was trained on, and what became of it since."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.loop.trigger import TriggerSettings
from model.registry import projects
from model.registry.errors import UnknownVersionError
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.lineage import Lineage, lineage
from model.registry.session import Database
from model.registry.tables import Project
from model.spans import text_digest
from registry_runs import mark_of, trained

MakeProject = Callable[..., Project]


def read(database: Database, project: Project, number: int = 1) -> Lineage:
    with database.read() as session:
        return lineage(session, project.id, number)


def change(database: Database, project: Project, tasks: list[SeenTask], *gone: int) -> None:
    """A later pass: these tasks as they are now, and those that are gone."""
    present = {(n, "t") for n in range(10, 16)} - {(n, "t") for n in gone}
    with database.begin() as session:
        now = projects.by_id(session, project.id)
        read = PassInput(now.pass_no, now.dirty_seq, None, tasks, present=frozenset(present))
        assert apply_pass(session, project.id, read, TriggerSettings(min_shots=10_000)).committed


def seen(task: int, time: str, content: str, end: int) -> SeenTask:
    spans = ((0, end, "PER"),)
    annotation = SeenAnnotation(task, time, content, "gold", False, spans)
    return SeenTask(task, "t", f"Ada {task}", (annotation,))


def test_a_version_names_every_revision_it_was_trained_on(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 2)
    found = read(database, project)
    assert (found.number, found.method, found.run_id, found.attempts) == (1, "cllmfs", 1, 1)
    assert (found.labels, found.shots, found.trigger) == (("PER", "LOC"), 6, "test")
    assert found.label_spans == (("PER", 6), ("LOC", 0))
    assert found.artifact_digest == (mark_of(1) * 64)[:64]
    assert [item.task_id for item in found.items] == list(range(10, 16))
    first = found.items[0]
    assert (first.annotation_id, first.updated_at, first.spans) == (10, "t", 1)
    assert first.text_digest == text_digest("Ada 10")
    assert all(item.current and not item.deleted for item in found.items)
    later = read(database, project, 2)
    assert len(later.items) == 12
    assert {item.revision_id for item in found.items} < {item.revision_id for item in later.items}


def test_edits_and_deletions_since_are_told(database: Database, make_project: MakeProject) -> None:
    """Task 10 was edited, 11 saved again unchanged, 12 deleted, 13's annotation deleted."""
    project = make_project()
    trained(database, project, 1)
    before = [(item.revision_id, item.updated_at) for item in read(database, project).items]
    now = [seen(10, "u", "other", 5), seen(11, "u", "c11", 3), SeenTask(13, "t", "Ada 13")]
    change(database, project, now, 12)
    found = read(database, project)
    state = [(item.current, item.deleted) for item in found.items]
    same, edited, deleted = (True, False), (False, False), (False, True)
    assert state == [edited, same, deleted, deleted, same, same]
    # the version's own past does not move
    assert [(item.revision_id, item.updated_at) for item in found.items] == before


def test_a_base_adapter_has_no_past(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    found = read(database, project, 0)
    assert (found.run_id, found.snapshot_digest, found.items) == (None, None, ())
    with pytest.raises(UnknownVersionError):
        read(database, project, 1)
