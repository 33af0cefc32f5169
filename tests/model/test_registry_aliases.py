"""Aliases: promoted and rolled back by one winner, with a row in the audit for everybody."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from model.registry import aliases, marks
from model.registry.errors import (
    CondemnedError,
    LostRaceError,
    NoReasonError,
    NothingToRollBackError,
    RegistryError,
    RequestIdReusedError,
    UnknownVersionError,
)
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import AliasChange
from registry_runs import condemn, trained

MakeProject = Callable[..., Project]


def moves(database: Database, project: Project) -> list[AliasChange]:
    """The audit of ``served``, oldest first."""
    with database.read() as session:
        found = aliases.history(session, project.id)
    return [item for item in reversed(found) if item.alias == "served"]


def test_promote_and_roll_back_walk_the_history(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 2)
    with database.begin() as session, pytest.raises(NothingToRollBackError):
        aliases.roll_back(session, project.id, actor="me", reason="x")
    for number in (1, 2):
        with database.begin() as session:
            aliases.promote(session, project.id, number, actor="me", reason="better")
    for expected in (1, 0):
        with database.begin() as session:
            move = aliases.roll_back(session, project.id, actor="me", reason="worse")
            assert move.to_number == expected
    with database.read() as session:
        assert aliases.served(session, project.id).name == "1.0"
        last = aliases.history(session, project.id)[0]
    assert (last.outcome, last.actor, last.reason) == ("rolled-back", "me", "worse")


def test_bad_promotions_are_refused(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    trained(database, project, 1)
    with database.begin() as session, pytest.raises(UnknownVersionError):
        aliases.promote(session, project.id, 9, actor="me", reason="x")
    with database.begin() as session, pytest.raises(RegistryError, match="reason"):
        aliases.promote(session, project.id, 1, actor="me", reason="  ")
    with database.begin() as session, pytest.raises(RegistryError, match="already"):
        aliases.promote(session, project.id, 0, actor="me", reason="x")
    with database.read() as session:
        assert aliases.served(session, project.id).number == 0


def test_a_request_id_answers_the_same_twice(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    trained(database, project, 1)
    moves = []
    for _ in range(2):
        with database.begin() as session:
            moves.append(
                aliases.promote(session, project.id, 1, actor="me", reason="x", request_id="once")
            )
    assert moves[0] == moves[1]
    with database.read() as session:
        served = [a for a in aliases.history(session, project.id) if a.alias == "served"]
    assert len(served) == 1


def test_of_fifty_promotions_one_wins(database: Database, make_project: MakeProject) -> None:
    """All fifty looked at revision 0: one move, 49 refusals, 50 audit rows."""
    project = make_project()
    trained(database, project, 5)
    outcomes: list[str] = []

    def move(number: int) -> None:
        try:
            with database.begin() as session:
                aliases.promote(
                    session, project.id, number, actor="a", reason="r", expected_revision=0
                )
            outcomes.append("moved")
        except LostRaceError:
            outcomes.append("refused")

    threads = [threading.Thread(target=move, args=(1 + n % 5,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count("moved"), outcomes.count("refused")) == (1, 49)
    with database.read() as session:
        assert aliases.served(session, project.id).revision == 1
    assert sorted(item.outcome for item in moves(database, project)) == [
        "promoted",
        *["refused"] * 49,
    ]


def test_a_dry_run_checks_everything_and_writes_nothing(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 2)
    before = len(moves(database, project))
    with database.begin() as session:
        planned = aliases.promote(session, project.id, 1, actor="me", reason="x", dry_run=True)
    for number, revision, error in (
        (9, None, UnknownVersionError),
        (2, 7, LostRaceError),
        (0, None, RegistryError),
    ):
        with database.begin() as session, pytest.raises(error):
            aliases.promote(
                session,
                project.id,
                number,
                actor="me",
                reason="x",
                expected_revision=revision,
                dry_run=True,
            )
    with database.begin() as session, pytest.raises(NothingToRollBackError):
        aliases.roll_back(session, project.id, actor="me", reason="x", dry_run=True)
    with database.read() as session:
        assert aliases.served(session, project.id).number == 0
    assert len(moves(database, project)) == before
    with database.begin() as session:
        assert planned == aliases.promote(session, project.id, 1, actor="me", reason="x")


def test_every_refusal_is_in_the_audit_with_its_cause(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 2)
    condemn(database, project, 2)
    wanted = [
        (9, "r", None, UnknownVersionError),
        (1, " ", None, NoReasonError),
        (0, "r", None, RegistryError),
        (1, "r", 5, LostRaceError),
        (2, "r", None, CondemnedError),
    ]
    for number, reason, revision, error in wanted:
        with pytest.raises(error), database.begin() as session:
            aliases.promote(
                session,
                project.id,
                number,
                actor="Ada",
                reason=reason,
                expected_revision=revision,
            )
    with pytest.raises(NothingToRollBackError), database.begin() as session:
        aliases.roll_back(session, project.id, actor="Ada", reason="r")
    found = moves(database, project)
    assert [item.outcome for item in found] == ["refused"] * 6
    assert [item.to_version for item in found] == [9, 1, 0, 1, 2, 0]
    assert {item.from_version for item in found} == {0}
    assert "`nerloop versions pin 2` keeps them" in (found[4].refusal or "")


def test_a_repeated_request_gets_its_first_answer_refusals_too(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 2)
    for _ in range(2):
        with database.begin() as session, pytest.raises(LostRaceError, match="moved the alias"):
            aliases.promote(
                session,
                project.id,
                1,
                actor="me",
                reason="x",
                expected_revision=4,
                request_id="late",
            )
        with database.begin() as session, pytest.raises(UnknownVersionError, match="no version 9"):
            aliases.promote(session, project.id, 9, actor="me", reason="x", request_id="odd")
    assert len(moves(database, project)) == 2
    with database.begin() as session, pytest.raises(RequestIdReusedError):
        aliases.promote(session, project.id, 2, actor="me", reason="x", request_id="late")
    with database.begin() as session, pytest.raises(RequestIdReusedError):
        marks.pin(session, project.id, 1, True, actor="me", reason="x", request_id="late")


def test_the_same_request_at_the_same_moment_moves_once(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 1)
    answers: list[aliases.AliasMove] = []

    def move() -> None:
        with database.begin() as session:
            answers.append(
                aliases.promote(
                    session, project.id, 1, actor="a", reason="r", request_id="double-click"
                )
            )

    threads = [threading.Thread(target=move) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [aliases.AliasMove(0, 1, 1)] * 8
    assert len(moves(database, project)) == 1
