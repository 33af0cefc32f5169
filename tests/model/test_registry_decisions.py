"""What is known of a version when it is promoted: its verdict, and whether it may still serve."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.registry import aliases, audit, marks
from model.registry.errors import CondemnedError
from model.registry.projects import by_id
from model.registry.rows import row
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_admin import Verdict
from registry_runs import condemn, many_versions, nominate_other, trained

MakeProject = Callable[..., Project]


def judge(database: Database, project: Project, number: int, verdict: str) -> None:
    with database.begin() as session:
        session.add(
            Verdict(
                project_id=project.id,
                lane="cllmfs",
                candidate_id=row(session, project.id, number).id,
                served_id=row(session, project.id, 0).id,
                look=1,
                verdict=verdict,
                reason="because",
                level=0.05,
                documents=30,
                no_harm=False,
                label_scores=[],
                policy="manual",
            )
        )


def test_a_move_keeps_the_verdict_and_says_who_overrode_it(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 3)
    judge(database, project, 1, "PROMOTE")
    judge(database, project, 2, "HOLD")
    judge(database, project, 3, "REJECT")
    made = []
    for number, actor in ((1, "Ada"), (2, audit.GATE), (3, "Ada")):
        with database.begin() as session:
            made.append(
                aliases.promote(session, project.id, number, actor=actor, reason="I know better")
            )
    assert [move.verdict for move in made] == ["PROMOTE", "HOLD", "REJECT"]
    assert [move.override for move in made] == [False, False, True]
    with database.read() as session:
        kept = [c.verdict for c in aliases.history(session, project.id) if c.alias == "served"]
    assert kept == ["REJECT", "HOLD", "PROMOTE"]


def test_a_condemned_version_serves_nobody_until_it_is_pinned(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 2)
    condemn(database, project, 1)
    condemn(database, project, 2, deleted=True)
    for number, words in ((1, "versions pin 1"), (2, "new training run")):
        with database.begin() as session, pytest.raises(CondemnedError, match=words):
            aliases.promote(session, project.id, number, actor="me", reason="x")
        with database.begin() as session, pytest.raises(CondemnedError, match=words):
            aliases.roll_back(session, project.id, to=number, actor="me", reason="x")
    with database.begin() as session:
        marks.pin(session, project.id, 1, True, actor="me", reason="still wanted")
    with database.begin() as session:
        assert aliases.promote(session, project.id, 1, actor="me", reason="x").to_number == 1


def test_a_rejected_candidate_waits_for_nothing_but_may_be_promoted_by_a_person(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 1)
    with database.begin() as session:
        waiting = aliases.candidate(session, project.id)
        assert waiting is not None
        marks.archive_rejected(session, waiting.version_id, "worse on PER")
    with database.read() as session:
        assert aliases.candidate(session, project.id) is None
        assert aliases.states(session, project.id) == {1: "served", 2: "archived"}
    with database.begin() as session:
        aliases.promote(session, project.id, 1, actor="me", reason="PER does not matter")
    with database.read() as session:
        assert aliases.states(session, project.id) == {2: "served"}


def test_the_candidate_of_another_lane_is_not_hidden(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    many_versions(database, project, 2)

    def waiting() -> int | None:
        with database.read() as session:
            found = aliases.candidate(session, project.id)
            return None if found is None else found.number

    with database.begin() as session:
        nominate_other(session, project.id, 3, "label_aware")
    assert waiting() == 2  # the project trains with cllmfs
    with database.begin() as session:
        by_id(session, project.id).method = "label_aware"
    assert waiting() == 3
    with database.begin() as session:
        aliases.promote(session, project.id, 3, actor="me", reason="x")
    assert waiting() == 2
    condemn(database, project, 2)
    assert waiting() is None
