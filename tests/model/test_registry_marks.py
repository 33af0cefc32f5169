"""Marks: pinned and archived by people, each with a row in the audit; versions never change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from model.registry import aliases, marks
from model.registry.artifacts import ArtifactStore
from model.registry.audit import GATE, history
from model.registry.errors import CondemnedError, KeptVersionError, UnknownVersionError
from model.registry.marks import Mark
from model.registry.rows import row
from model.registry.session import Database
from model.registry.tables import Project
from registry_runs import condemn, trained

MakeProject = Callable[..., Project]


@pytest.fixture
def project(database: Database, make_project: MakeProject) -> Project:
    """Versions 0 to 3: 1 is served, 3 is the candidate."""
    made = make_project()
    trained(database, made, 3)
    with database.begin() as session:
        aliases.promote(session, made.id, 1, actor="Ada", reason="better")
    return made


def mark(database: Database, project: Project, number: int) -> Mark:
    with database.read() as session:
        return marks.mark_of(session, row(session, project.id, number).id)


def lines(database: Database, project: Project) -> list[tuple[str, int, str, str]]:
    """The audit of marks, oldest first."""
    with database.read() as session:
        found = [item for item in history(session, project.id) if item.alias != "served"]
    return [
        (item.alias, item.to_version, item.outcome, item.actor)
        for item in reversed(found)
        if item.alias != "candidate"
    ]


def test_pinning_is_kept_and_told(database: Database, project: Project) -> None:
    for wanted in (True, False):
        with database.begin() as session:
            answer = marks.pin(session, project.id, 2, wanted, actor="Ada", reason="for the paper")
        assert answer == mark(database, project, 2) == Mark(pinned=wanted)
    assert lines(database, project) == [
        ("pinned", 2, "pinned", "Ada"),
        ("pinned", 2, "unpinned", "Ada"),
    ]


def test_archiving_keeps_the_reason_and_the_state(database: Database, project: Project) -> None:
    with database.begin() as session:
        answer = marks.archive(session, project.id, 2, actor="Ada", reason=" worse on dates ")
    assert answer.archived_reason == "worse on dates"
    assert answer.archived_at == mark(database, project, 2).archived_at
    with database.read() as session:
        states = aliases.states(session, project.id)
        assert states[row(session, project.id, 2).id] == "archived"
    assert lines(database, project) == [("archived", 2, "archived", "Ada")]


@pytest.mark.parametrize(
    ("number", "why"), [(0, "base adapter"), (1, "is served"), (3, "waits for promotion")]
)
def test_what_is_in_use_cannot_be_archived(
    database: Database, project: Project, number: int, why: str
) -> None:
    with database.begin() as session, pytest.raises(KeptVersionError, match=why):
        marks.archive(session, project.id, number, actor="Ada", reason="x")
    assert mark(database, project, number) == Mark()
    assert lines(database, project) == [("archived", number, "refused", "Ada")]


def test_the_gate_may_archive_the_candidate(database: Database, project: Project) -> None:
    with database.begin() as session:
        marks.archive_rejected(session, row(session, project.id, 3).id, "upper bound below 0")
    assert mark(database, project, 3).archived_reason == "upper bound below 0"
    assert lines(database, project) == [("archived", 3, "archived", GATE)]


def test_a_dry_run_shows_the_mark_and_writes_none(database: Database, project: Project) -> None:
    with database.begin() as session:
        shown = marks.archive(session, project.id, 2, actor="A", reason="x", dry_run=True)
        pinned = marks.pin(session, project.id, 2, True, actor="A", reason="x", dry_run=True)
    with database.begin() as session, pytest.raises(UnknownVersionError):
        marks.pin(session, project.id, 9, True, actor="A", reason="x", dry_run=True)
    assert (shown.archived_reason, pinned.pinned) == ("x", True)
    assert mark(database, project, 2) == Mark()
    assert lines(database, project) == []


def test_a_repeated_request_marks_once(database: Database, project: Project) -> None:
    answers = []
    for _ in range(2):
        with database.begin() as session:
            answers.append(
                marks.archive(session, project.id, 2, actor="A", reason="x", request_id="once")
            )
        with database.begin() as session, pytest.raises(KeptVersionError, match="is served"):
            marks.archive(session, project.id, 1, actor="A", reason="x", request_id="refused")
    assert answers[0] == answers[1]
    assert len(lines(database, project)) == 2


def test_pinning_saves_a_condemned_version_while_its_files_are_there(
    database: Database, project: Project
) -> None:
    condemn(database, project, 2)
    condemn(database, project, 3, deleted=True)
    with database.begin() as session:
        assert marks.pin(session, project.id, 2, True, actor="A", reason="x") == Mark(pinned=True)
    with database.begin() as session, pytest.raises(CondemnedError, match="were deleted"):
        marks.pin(session, project.id, 3, True, actor="A", reason="x")


def test_a_condemned_version_without_its_files_cannot_be_pinned(
    database: Database, project: Project, tmp_path: Path
) -> None:
    """A sweeper took them and died before it could write so."""
    condemn(database, project, 2)
    store = ArtifactStore(tmp_path)
    with database.begin() as session, pytest.raises(CondemnedError, match="2 are gone"):
        marks.pin(session, project.id, 2, True, actor="A", reason="x", store=store)
    assert mark(database, project, 2).state == "condemned"
    with database.read() as session:
        digest = row(session, project.id, 2).artifact_digest
    (tmp_path / "sha256" / digest[:2] / digest).mkdir(parents=True)
    with database.begin() as session:
        saved = marks.pin(session, project.id, 2, True, actor="A", reason="x", store=store)
    assert saved == Mark(pinned=True)


@pytest.mark.parametrize("verb", ["UPDATE adapter_versions SET seed = 9", "DELETE FROM verdicts"])
def test_versions_and_verdicts_refuse_to_be_changed(
    database: Database, project: Project, verb: str
) -> None:
    with database.begin() as session:
        session.execute(
            text(
                "INSERT INTO verdicts (project_id, lane, candidate_id, served_id, look, verdict, "
                "reason, level, documents, no_harm, label_scores, policy, at) SELECT project_id, "
                "method, id, id, 1, 'HOLD', 'x', 0.05, 3, false, '[]', 'manual', created_at "
                "FROM adapter_versions WHERE number = 1"
            )
        )
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as session:
        session.execute(text(verb))
