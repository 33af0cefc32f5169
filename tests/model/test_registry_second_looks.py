"""Which candidates are judged again: held ones, once the documents exist that HOLD asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from judged_versions import BETTER, TOO_FEW, Sides, published, scores
from model.registry import (
    aliases,
    judging,
    marks,
    predictions,
    projects,
    second_looks,
    switching,
    verdicts,
)
from model.registry.base import utc_now
from model.registry.gold_rows import held_out_count
from model.registry.judging import Trial
from model.registry.projects import BaseAdapter
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import AdapterVersion, PredictionRun
from registry_runs import annotate

MakeProject = Callable[..., Project]

NEARLY = Sides(30, 23, 20)
"""Three texts better, none worse: a draw without them happens in (27/30)^30 = 4 % of all."""


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """Every annotation is held out."""
    return make_project(held_out=1.0)


def is_due(database: Database, version: AdapterVersion) -> bool:
    with database.read() as session:
        return second_looks.is_due(session, version)


def documents(database: Database, project: Project, wanted: int) -> None:
    """Annotate until there are so many held-out documents."""
    with database.read() as session:
        there = held_out_count(session, project.id)
    annotate(database, project, 5000 + there, wanted - there)


def held(database: Database, project: Project, sides: Sides = NEARLY) -> tuple[AdapterVersion, int]:
    """A held candidate whose window is predicted, and the documents it asked for."""
    version = published(database, project, 1, sides)
    with database.begin() as session:
        predictions.finish(session, version.id)
        view = verdicts.latest(session, version.id)
    assert view is not None
    assert view.verdict == "HOLD"
    assert view.needed is not None
    return version, view.needed


def look_again(database: Database, project: Project, version: AdapterVersion, sides: Sides) -> None:
    with database.begin() as session:
        served = aliases.served(session, project.id)
        standing = judging.standing_of(
            session,
            project.id,
            "cllmfs",
            served,
            snapshot_id=version.snapshot_id,
            candidate_id=version.id,
        )
        tried = Trial(
            served,
            scores(sides.documents, sides.candidate),
            scores(sides.documents, sides.served),
        )
        found = judging.judged(tried, standing, version.artifact_digest)
        assert found is not None
        judging.settle(session, version, found, is_new=False)


def window(database: Database, version: AdapterVersion) -> str:
    with database.read() as session:
        return session.get_one(PredictionRun, version.id).state


def test_it_waits_for_the_documents_that_hold_asked_for(
    database: Database, project: Project
) -> None:
    version, needed = held(database, project)
    documents(database, project, needed - 1)
    assert not is_due(database, version)
    assert window(database, version) == "done"
    documents(database, project, needed)  # the pass that reads the last one asks
    assert is_due(database, version)
    assert window(database, version) == "requested"


def test_a_person_gets_no_third_look(database: Database, project: Project) -> None:
    version, needed = held(database, project)
    documents(database, project, needed)
    look_again(database, project, version, Sides(30, 21, 20))
    with database.read() as session:
        last, first = verdicts.of_version(session, version.id)
    assert (first.look, last.look, last.verdict) == (1, 2, "HOLD")
    assert "This was the last look" in last.reason
    assert last.needed is not None
    documents(database, project, last.needed)
    assert not is_due(database, version)


def test_under_auto_every_look_counts_and_a_promote_moves(
    database: Database, project: Project
) -> None:
    with database.begin() as session:
        projects.set_policy(session, project.id, "auto")
    version, needed = held(database, project)
    documents(database, project, needed)
    look_again(database, project, version, BETTER)
    with database.read() as session:
        last, first = verdicts.of_version(session, version.id)
        assert aliases.served(session, project.id).number == 1
    assert (first.look, last.look, last.verdict) == (1, 2, "PROMOTE")
    assert last.level == pytest.approx(first.level / 4)
    assert not is_due(database, version)


def test_a_second_look_may_reject(database: Database, project: Project) -> None:
    version, needed = held(database, project)
    documents(database, project, needed)
    look_again(database, project, version, Sides(40, 5, 35))
    with database.read() as session:
        assert marks.mark_of(session, version.id).archived_at is not None
        assert aliases.candidate(session, project.id) is None
    documents(database, project, needed + 200)
    assert not is_due(database, version)


def test_too_few_documents_are_waited_for(database: Database, project: Project) -> None:
    version, needed = held(database, project, TOO_FEW)
    assert needed == 25
    documents(database, project, 24)
    assert not is_due(database, version)
    documents(database, project, 25)
    assert is_due(database, version)


def test_another_served_version_is_a_new_pair(database: Database, project: Project) -> None:
    published(database, project, 1, BETTER)
    version = published(database, project, 2, BETTER)
    assert not is_due(database, version)
    with database.begin() as session:
        aliases.promote(session, project.id, 1, actor="Ada", reason="this one first")
    assert is_due(database, version)


def test_what_a_person_sent_back_is_not_judged_again(database: Database, project: Project) -> None:
    published(database, project, 1, BETTER)
    version = published(database, project, 2, BETTER)
    for number in (1, 2):
        with database.begin() as session:
            aliases.promote(session, project.id, number, actor="Ada", reason="try it")
    with database.begin() as session:
        aliases.roll_back(session, project.id, actor="Ada", reason="no good")
    with database.read() as session:
        assert aliases.served(session, project.id).number == 1
    assert not is_due(database, version)


def test_an_archived_candidate_and_an_older_one_are_left_alone(
    database: Database, project: Project
) -> None:
    first, needed = held(database, project)
    documents(database, project, needed)
    assert is_due(database, first)
    second = published(database, project, 2, NEARLY)
    assert not is_due(database, first)
    documents(database, project, needed + 100)
    assert is_due(database, second)
    with database.begin() as session:
        marks.archive_rejected(session, second.id, "by hand")
    assert not is_due(database, second)


def test_a_look_that_came_to_nothing_rests(database: Database, project: Project) -> None:
    version, needed = held(database, project)
    with database.begin() as session:
        predictions.stumbled(session, version.id, "no base model")
    documents(database, project, needed)
    assert window(database, version) == "done"
    with database.begin() as session:
        run = session.get_one(PredictionRun, version.id)
        run.requested_at = utc_now() - predictions.RETRY_AFTER - timedelta(seconds=1)
    documents(database, project, needed + 1)
    assert window(database, version) == "requested"


def test_a_candidate_of_a_lane_that_rests_is_left_alone(
    database: Database, project: Project
) -> None:
    version, needed = held(database, project)
    other = BaseAdapter("label_aware", "encoder", "e" * 64, "f" * 64, {})
    with database.begin() as session:
        switching.use_method(session, project.id, other)
    documents(database, project, needed)
    assert not is_due(database, version)
    assert window(database, version) == "done"
    with database.begin() as session:
        projects.by_id(session, project.id).method = version.method
    assert is_due(database, version)
