"""Runs and versions: one claim, one fence, one commit that publishes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from model.registry import runs, versions
from model.registry.errors import FenceLostError
from model.registry.session import Database
from model.registry.tables import Lane, Project
from model.registry.tables_versions import TrainingRun
from model.registry.versions import Publication, Scores
from registry_runs import annotate, ask, asked, mark_of, publish, take, taken, trained

MakeProject = Callable[..., Project]


def test_one_run_waits_per_lane(database: Database, make_project: MakeProject) -> None:
    one, two = make_project(1), make_project(2)
    first = ask(database, one)
    assert first is not None
    assert ask(database, one) is None
    assert ask(database, two) is not None
    annotate(database, one, 1)
    assert take(database, first) is not None
    assert ask(database, one) is not None  # one runs, one may wait


def test_of_twenty_claimers_one_wins(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    annotate(database, project, 1)
    run_id = asked(database, project)
    won: list[runs.Claim] = []

    def claim() -> None:
        got = take(database, run_id)
        if got is not None:
            won.append(got)

    threads = [threading.Thread(target=claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(won[0].support) == 6


def test_a_lane_runs_one_at_a_time(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    annotate(database, project, 1)
    first = asked(database, project)
    assert take(database, first) is not None
    second = asked(database, project)
    assert take(database, second) is None
    with database.read() as session:
        assert session.get_one(TrainingRun, second).state == "requested"
        assert runs.to_ring(session) == []


def test_a_revoked_holder_publishes_nothing(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    annotate(database, project, 1)
    run_id = asked(database, project)
    stale = taken(database, run_id)
    with database.begin() as session:
        assert runs.revoke(session, runs.holders(session)[0])
    assert take(database, run_id + 100) is None
    fresh = taken(database, run_id)
    assert (fresh.attempt, fresh.support) == (2, stale.support)
    with pytest.raises(FenceLostError):
        publish(database, stale, "c")
    with database.begin() as session:
        assert not runs.beat(session, run_id, stale.fence, step=1, steps=2, loss=0.5)
        assert not runs.fail(session, run_id, stale.fence, "bug", "late")
        assert runs.beat(session, run_id, fresh.fence, step=1, steps=2, loss=0.5)
    assert publish(database, fresh, "d") == 1
    with database.read() as session:
        assert [v.number for v in versions.versions(session, project.id)] == [0, 1]


def test_a_beat_in_between_saves_the_holder(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    annotate(database, project, 1)
    run_id = asked(database, project)
    claim = taken(database, run_id)
    with database.begin() as session:
        before = runs.holders(session)[0]
        runs.beat(session, run_id, claim.fence, step=3, steps=9, loss=1.0)
        assert not runs.revoke(session, before)


def test_a_run_lost_three_times_ends(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    annotate(database, project, 1)
    run_id = asked(database, project)
    for attempt in (1, 2, 3):
        claim = taken(database, run_id)
        assert claim.attempt == attempt
        with database.begin() as session:
            assert runs.revoke(session, runs.holders(session)[0])
    assert take(database, run_id) is None
    with database.read() as session:
        run = session.get_one(TrainingRun, run_id)
        assert (run.state, run.failure_kind) == ("failed", "lost")
        lane = session.get_one(Lane, (project.id, "cllmfs"))
        assert lane.tried_fingerprint == run.fingerprint


def test_the_same_files_make_no_second_version(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    trained(database, project, 1)
    run_id = asked(database, project)
    assert publish(database, taken(database, run_id), mark_of(1)) is None
    with database.read() as session:
        assert session.get_one(TrainingRun, run_id).outcome == "unchanged"


def test_scores_are_kept_with_the_version(database: Database, make_project: MakeProject) -> None:
    """Two documents: tp 1+2, predicted 2+2, gold 1+3, so F1 = 2 * 3 / (4 + 4) = 0.75."""
    project = make_project()
    annotate(database, project, 1)
    run_id = asked(database, project)
    claim = taken(database, run_id)
    scores = Scores("e" * 64, ((1, 1, 2, 1), (2, 2, 2, 3)))
    made = Publication("c" * 64, "tiny", "b" * 64, {}, {}, scores, (1, scores))
    with database.begin() as session:
        versions.publish(session, claim, made)
    with database.read() as session:
        views = versions.versions(session, project.id)
    assert [(v.f1, v.documents) for v in views] == [(0.75, 2), (0.75, 2)]
    assert (views[1].shots, views[1].texts, views[1].state) == (6, 6, "candidate")
