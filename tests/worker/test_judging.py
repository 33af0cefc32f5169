"""The gate in the worker: with the run that publishes, and again when more documents exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model.registry import (
    aliases,
    evaluations,
    gold_rows,
    marks,
    predictions,
    projects,
    runs,
    second_looks,
    verdicts,
    versions,
)
from model.registry.errors import StaleVerdictError
from model.registry.session import Session
from model.registry.tables_versions import AdapterVersion
from model.registry.verdicts import VerdictView
from model.registry.versions import VersionView
from model.spans import LabelSet, Prediction, Span
from standin_worker import StandIn, Worker
from worker.prediction import predict_window
from worker.training import train_run

MANY = 80
"""Half of them are held out, surely more than 25."""
NEVER = 100_000


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(tmp_path / "home", monkeypatch)


def train(worker: Worker, count: int) -> VersionView:
    """A run on so many annotations, to its end."""
    [(run_id, _)] = worker.annotate(count)
    train_run(worker.context, run_id)
    return newest(worker)


def newest(worker: Worker) -> VersionView:
    with worker.database.read() as session:
        return versions.versions(session, worker.project)[-1]


def said(worker: Worker) -> list[VerdictView]:
    with worker.database.read() as session:
        return verdicts.of_project(session, worker.project)


def state(worker: Worker) -> tuple[str, str | None]:
    with worker.database.read() as session:
        [run] = runs.recent(session, worker.project, 1)
        return run.state, run.failure_kind


def test_a_run_is_judged_on_answers_of_both_sides(worker: Worker) -> None:
    made = train(worker, MANY)
    [view] = said(worker)
    assert (view.candidate, view.served, view.verdict, view.look) == (1, 0, "PROMOTE", 1)
    assert (view.candidate_f1, view.served_f1) == (1, 0)
    with worker.database.read() as session:
        there = gold_rows.held_out_gold(session, worker.project)
        rows = [evaluations.latest(session, version_id) for version_id in (made.id, made.id - 1)]
        ours, theirs = (evaluations.scores_of(row) for row in rows if row is not None)
    assert view.documents == len(there) >= 25
    assert [answer.text_digest for answer in ours.answers] == [d.text_digest for d in there]
    assert {answer.said for answer in ours.answers} == {(Span(0, 3, "PER", 1.0),)}
    assert {answer.said for answer in theirs.answers} == {()}
    assert ours.eval_digest == theirs.eval_digest


def test_under_auto_the_run_ends_with_the_version_served(worker: Worker) -> None:
    with worker.database.begin() as session:
        projects.set_policy(session, worker.project, "auto")
    train(worker, MANY)
    with worker.database.read() as session:
        assert aliases.served(session, worker.project).number == 1


class Broken(StandIn):
    """Answers by ``failure`` once it was trained."""

    failure: Exception | Prediction

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        if isinstance(self.failure, Exception):
            raise self.failure
        return [self.failure for _ in texts]


def broken(worker: Worker, failure: Exception | Prediction) -> None:
    standin = Broken("label_aware")
    standin.failure = failure
    worker.standins["label_aware"] = standin


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ValueError("shape"), "It cannot answer a text of its own training: ValueError"),
        (Prediction((Span(0, 3, "DAY"),), 0.5), "the label 'DAY', which the project does not have"),
        (Prediction((Span(0, 300, "PER"),), 0.5), "which ends beyond its text"),
    ],
)
def test_an_adapter_that_does_not_answer_is_rejected(
    worker: Worker, failure: Any, reason: str
) -> None:
    broken(worker, failure)
    made = train(worker, MANY)
    assert state(worker) == ("succeeded", None)
    [view] = said(worker)
    assert (view.verdict, view.look, made.state) == ("REJECT", 0, "archived")
    assert reason in view.reason
    with worker.database.read() as session:
        assert marks.mark_of(session, made.id).archived_reason == view.reason
        assert aliases.candidate(session, worker.project) is None


def test_no_memory_says_nothing_of_the_adapter(worker: Worker) -> None:
    broken(worker, MemoryError())
    made = train(worker, MANY)
    assert made.number == 0
    assert state(worker) == ("failed", "memory")


def test_a_verdict_out_of_date_is_made_anew(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = versions.publish, []

    def publish(session: Any, claim: Any, made: Any) -> Any:
        seen.append(made.judged)
        if len(seen) == 1:
            projects.set_policy(session, worker.project, "auto")
            session.commit()
            raise StaleVerdictError
        return real(session, claim, made)

    monkeypatch.setattr(versions, "publish", publish)
    train(worker, MANY)
    assert [item.standing.policy for item in seen] == ["manual", "auto"]
    [view] = said(worker)
    assert (view.policy, view.verdict) == ("auto", "PROMOTE")


def test_a_held_candidate_is_judged_again_by_its_next_job(worker: Worker) -> None:
    made = train(worker, 16)
    [first] = said(worker)
    assert (first.verdict, first.look, first.needed) == ("HOLD", 0, 25)
    predict_window(worker.context, made.id)
    assert len(said(worker)) == 1
    assert worker.annotate(MANY, first=100, min_shots=NEVER) == []
    with worker.database.read() as session:
        assert (made.id, 0, "label_aware") in predictions.waiting(session)
    predict_window(worker.context, made.id)
    second, _ = said(worker)
    assert (second.verdict, second.look, second.candidate) == ("PROMOTE", 1, 1)
    predict_window(worker.context, made.id)
    assert len(said(worker)) == 2
    with worker.database.read() as session:
        assert made.id not in [version_id for version_id, *_ in predictions.waiting(session)]


def test_a_second_look_gives_way_to_a_waiting_run(worker: Worker) -> None:
    made = train(worker, 16)
    predict_window(worker.context, made.id)
    assert len(worker.annotate(MANY, first=100)) == 1
    predict_window(worker.context, made.id)
    assert len(said(worker)) == 1


def test_a_second_look_that_cannot_be_taken_says_why(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = train(worker, 16)
    predict_window(worker.context, made.id)
    worker.annotate(MANY, first=100, min_shots=NEVER)
    broken(worker, ValueError("shape"))
    monkeypatch.setattr(worker.context, "_engines", {})
    predict_window(worker.context, made.id)
    assert len(said(worker)) == 1
    with worker.database.read() as session:
        assert predictions.trouble(session, made.id) == "ValueError"


def test_whether_a_look_is_still_due_is_asked_when_no_other_writer_can_take_it(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL lets two writers read at once; both would write the same look."""
    made = train(worker, 16)
    predict_window(worker.context, made.id)
    worker.annotate(MANY, first=100, min_shots=NEVER)
    steps: list[str] = []
    lock, is_due = projects.lock, second_looks.is_due

    def locked(session: Session, project_id: int) -> None:
        steps.append("lock")
        lock(session, project_id)

    def asked(session: Session, version: AdapterVersion) -> bool:
        steps.append("due")
        return is_due(session, version)

    monkeypatch.setattr(projects, "lock", locked)
    monkeypatch.setattr(second_looks, "is_due", asked)
    predict_window(worker.context, made.id)
    assert steps == ["due", "lock", "due"]
    assert len(said(worker)) == 2
