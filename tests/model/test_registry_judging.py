"""Verdicts in the publishing commit, and what the policies make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from judged_versions import BETTER, TOO_FEW, UNSURE, WORSE, Sides, begun, judged, published, trial
from model.registry import aliases, evaluations, marks, projects, runs, verdicts, versions
from model.registry.audit import history, overrode
from model.registry.errors import StaleVerdictError, UnknownPolicyError
from model.registry.judging import Trial
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import PredictionRun
from registry_runs import publication, trained

MakeProject = Callable[..., Project]


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project()


def policy(database: Database, project: Project, name: str) -> None:
    with database.begin() as session:
        projects.set_policy(session, project.id, name)


def served(database: Database, project: Project) -> int:
    with database.read() as session:
        return aliases.served(session, project.id).number


def moves(database: Database, project: Project) -> list[tuple[int, str, str, str | None]]:
    """The audit of ``served``, oldest first."""
    with database.read() as session:
        rows = [row for row in history(session, project.id) if row.alias == "served"]
    return [(row.to_version, row.outcome, row.actor, row.verdict) for row in reversed(rows)]


def test_the_commit_that_publishes_writes_the_verdict(database: Database, project: Project) -> None:
    version = published(database, project, 1, BETTER)
    with database.read() as session:
        [view] = verdicts.of_version(session, version.id)
        assert verdicts.of_project(session, project.id) == [view]
        assert verdicts.latest(session, version.id) == view
        assert verdicts.looks(session, project.id, "cllmfs") == 1
        kept = evaluations.latest(session, version.id)
        assert kept is not None
        assert evaluations.scores_of(kept) == trial(session, project, BETTER).candidate
    assert (view.candidate, view.served, view.lane, view.look) == (1, 0, "cllmfs", 1)
    assert (view.verdict, view.level, view.documents, view.policy) == (
        *("PROMOTE", 0.025, 30, "manual"),
    )
    assert (view.candidate_f1, view.served_f1, view.delta) == (1, 0, 1)
    [label] = view.label_scores
    assert (label.label, label.gold, label.guarded, label.delta) == ("PER", 30, True, 1)


def test_under_manual_a_verdict_only_advises(database: Database, project: Project) -> None:
    published(database, project, 1, BETTER)
    assert served(database, project) == 0
    assert moves(database, project) == []


def test_a_rejected_candidate_is_archived_with_the_reason(
    database: Database, project: Project
) -> None:
    published(database, project, 1, UNSURE)
    version = published(database, project, 2, WORSE)
    with database.read() as session:
        mark = marks.mark_of(session, version.id)
        now = aliases.candidate(session, project.id)
        waiting = session.get(PredictionRun, version.id)
    assert mark.archived_at is not None
    assert "worse than what is served" in (mark.archived_reason or "")
    assert now is not None
    assert now.number == 1  # the one before still waits
    assert waiting is None


def test_too_few_documents_cost_no_look(database: Database, project: Project) -> None:
    version = published(database, project, 1, TOO_FEW)
    with database.read() as session:
        [view] = verdicts.of_version(session, version.id)
        assert verdicts.looks(session, project.id, "cllmfs") == 0
    assert (view.verdict, view.look, view.level, view.needed) == ("HOLD", 0, 0, 25)
    assert (view.documents, view.delta, view.low, view.high) == (20, 1, None, None)
    assert view.reason.startswith("20 of the 25 held-out texts")


def test_without_any_document_the_first_version_is_held(
    database: Database, project: Project
) -> None:
    with database.read() as session:
        nothing = Trial(aliases.served(session, project.id))
    version = published(database, project, 1, nothing)
    with database.read() as session:
        [view] = verdicts.of_version(session, version.id)
    assert (view.verdict, view.needed, view.candidate_f1) == ("HOLD", 25, None)
    with database.begin() as session:
        move = aliases.promote(session, project.id, 1, actor="Ada", reason="it looks good")
    assert (move.verdict, move.override) == ("HOLD", True)


def test_what_cannot_be_used_is_rejected_under_any_policy(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(database, project, "serve-fast")
    monkeypatch.setattr("model.registry.judging.queue_of", lambda method: "fast")
    with database.read() as session:
        broken = Trial(aliases.served(session, project.id), broken="It cannot answer.")
    version = published(database, project, 1, broken)
    with database.read() as session:
        [view] = verdicts.of_version(session, version.id)
        assert marks.mark_of(session, version.id).archived_reason == "It cannot answer."
    assert (view.verdict, view.reason, view.look) == ("REJECT", "It cannot answer.", 0)
    assert served(database, project) == 0


def test_a_served_version_that_was_not_scored_means_hold(
    database: Database, project: Project
) -> None:
    with database.read() as session:
        tried = replace(trial(session, project, BETTER), rival=None, why_not="Too slow a method.")
    version = published(database, project, 1, tried)
    with database.read() as session:
        [view] = verdicts.of_version(session, version.id)
    assert (view.verdict, view.reason, view.look) == ("HOLD", "Too slow a method.", 0)
    assert (view.needed, view.documents) == (None, 30)


def test_auto_moves_served_on_promote_alone(database: Database, project: Project) -> None:
    policy(database, project, "auto")
    published(database, project, 1, UNSURE)
    assert served(database, project) == 0
    published(database, project, 2, BETTER)
    assert served(database, project) == 2
    assert moves(database, project) == [(2, "promoted", "gate", "PROMOTE")]
    with database.read() as session:
        [second, first] = verdicts.of_project(session, project.id)
        assert not any(overrode(row) for row in history(session, project.id))
    assert [first.look, second.look] == [1, 2]
    assert first.level == pytest.approx(0.0303964, rel=1e-5)
    assert second.level == pytest.approx(0.0303964 / 4, rel=1e-5)


def test_auto_loses_the_race_against_a_person(database: Database, project: Project) -> None:
    """A person promotes while the candidate is scored: the version is there, served stays."""
    trained(database, project, 1)
    policy(database, project, "auto")
    with database.read() as session:
        before = trial(session, project, BETTER)
    with database.begin() as session:
        aliases.promote(session, project.id, 1, actor="Ada", reason="now")
    version = published(database, project, 2, before)
    assert served(database, project) == 1
    assert moves(database, project) == [
        (1, "promoted", "Ada", None),
        (2, "refused", "gate", None),
    ]
    with database.read() as session:
        [view] = verdicts.of_version(session, version.id)
        [run] = runs.recent(session, project.id, 1)
    assert (view.verdict, view.served, run.state) == ("PROMOTE", 0, "succeeded")


def test_serve_fast_serves_the_fast_lane_whatever_the_gate_says(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(database, project, "serve-fast")
    published(database, project, 1, BETTER)
    assert served(database, project) == 0  # a slow lane is as under manual
    monkeypatch.setattr("model.registry.judging.queue_of", lambda method: "fast")
    version = published(database, project, 2, WORSE)
    assert served(database, project) == 2
    [move] = moves(database, project)
    assert move[1:3] == ("promoted", "gate")
    with database.read() as session:
        assert marks.mark_of(session, version.id).archived_at is None
        [row] = [row for row in history(session, project.id) if row.alias == "served"]
    assert row.reason.startswith("policy serve-fast, without a gate")


@pytest.mark.parametrize("change", ["policy", "look"])
def test_a_verdict_whose_level_is_spent_is_not_written(
    database: Database, project: Project, change: str
) -> None:
    published(database, project, 1, UNSURE)
    claim = begun(database, project, 2)
    with database.read() as session:
        found = judged(session, project, claim.run_id, trial(session, project, BETTER))
    if change == "policy":
        policy(database, project, "auto")
    else:
        stale = replace(found.standing, lane_looks=0)
        found = replace(found, standing=stale)
    made = replace(publication("e"), judged=found)
    with pytest.raises(StaleVerdictError), database.begin() as session:
        versions.publish(session, claim, made)
    with database.read() as session:
        assert [v.number for v in versions.versions(session, project.id)] == [0, 1]
        [run] = runs.recent(session, project.id, 1)
    assert run.state == "running"


def test_the_fast_lane_is_not_looked_at_for_every_few_shots(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six shots per version; 30 documents at first, 39 and 40 later."""
    monkeypatch.setattr("model.registry.judging.queue_of", lambda method: "fast")
    for number, documents in ((1, 30), (2, 39), (3, 40)):
        published(database, project, number, Sides(documents, documents, 0))
    with database.read() as session:
        third, second, first = verdicts.of_project(session, project.id)
    assert (first.look, first.verdict) == (1, "PROMOTE")
    assert (second.look, second.verdict, second.needed) == (0, "HOLD", 40)
    assert second.reason.startswith("6 shots and 9 held-out texts are new")
    assert (third.look, third.verdict) == (1, "PROMOTE")


def test_verdicts_never_change(database: Database, project: Project) -> None:
    published(database, project, 1, BETTER)
    for statement in ("UPDATE verdicts SET verdict = 'HOLD'", "DELETE FROM verdicts"):
        with pytest.raises(DBAPIError, match="append-only"), database.begin() as session:
            session.execute(text(statement))


def test_only_known_policies_are_kept(database: Database, project: Project) -> None:
    with database.begin() as session, pytest.raises(UnknownPolicyError, match="manual, auto"):
        projects.set_policy(session, project.id, "always")
