"""A run and a window are worked on with the method of their lane, a stand-in for each here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.lanes import queue_of
from model.registry import aliases, predictions, runs, switching, verdicts, versions
from model.registry.session import Database
from standin_worker import StandIn, Worker
from worker.prediction import predict_window
from worker.training import train_run


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(tmp_path / "home", monkeypatch)


def test_a_run_of_the_fast_lane_makes_a_version_of_its_method(worker: Worker) -> None:
    [(run_id, method)] = worker.annotate()
    assert (method, queue_of(method)) == ("label_aware", "fast")
    train_run(worker.context, run_id)
    with worker.database.read() as session:
        [run] = runs.recent(session, worker.project)
        assert (run.state, run.failure_reason) == ("succeeded", None)
        zero, made = versions.versions(session, worker.project)
        waiting = predictions.waiting(session)
    assert (made.method, made.base_name) == ("label_aware", zero.base_name)
    assert made.base_digest == "l" * 64
    assert worker.evaluated() == [0, 1]
    assert (made.id, 0, "label_aware") in waiting
    predict_window(worker.context, made.id)
    with worker.database.read() as session:
        assert predictions.complete(session, made.id)
    assert worker.loaded == ["the-encoder"]  # no language model for a project that has none


def test_after_a_change_of_the_method_the_other_lane_rests(worker: Worker) -> None:
    added = worker.adapter("cllmfs")
    with worker.database.begin() as session:
        version = switching.use_method(session, worker.project, added)
        assert version is not None
        assert version.number == 1
        assert switching.use_method(session, worker.project, added) is None
    [(run_id, method)] = worker.annotate()
    assert (method, queue_of(method)) == ("cllmfs", "slow")
    train_run(worker.context, run_id)
    with worker.database.read() as session:
        assert [v.method for v in versions.versions(session, worker.project)] == [
            "label_aware",
            "cllmfs",
            "cllmfs",
        ]
        assert aliases.served(session, worker.project).method == "label_aware"
    # the served version is scored by its own method, on its own base model
    assert worker.loaded == ["the-llm", "the-encoder"]
    assert worker.evaluated() == [0, 2]


def test_a_fast_run_never_opens_the_language_model_of_what_is_served(worker: Worker) -> None:
    """cllmfs is served, label_aware trains: the run scores its own version alone."""
    added = worker.adapter("cllmfs")
    with worker.database.begin() as session:
        version = switching.use_method(session, worker.project, added)
        assert version is not None
        moved = aliases.served(session, worker.project)
        assert moved.method == "label_aware"
    with worker.database.begin() as session:
        aliases.promote(session, worker.project, 1, actor="test", reason="to serve the slow method")
        assert aliases.served(session, worker.project).method == "cllmfs"
    with worker.database.begin() as session:
        switching.use_method(session, worker.project, worker.adapter("label_aware"))
    [(run_id, method)] = worker.annotate()
    assert method == "label_aware"
    train_run(worker.context, run_id)
    assert worker.loaded == ["the-encoder"]
    assert worker.evaluated() == [2]
    with worker.database.read() as session:
        [view] = verdicts.of_project(session, worker.project)
    assert (view.verdict, view.look) == ("HOLD", 0)


def test_a_base_model_that_was_changed_since_ends_the_run_with_the_variable_to_set(
    worker: Worker,
) -> None:
    [(run_id, _)] = worker.annotate()
    worker.standins["label_aware"] = StandIn("label_aware")
    worker.standins["label_aware"].base_digest = "f" * 64
    train_run(worker.context, run_id)
    with worker.database.read() as session:
        [run] = runs.recent(session, worker.project)
    assert run.failure_kind == "storage"
    assert "Set NERLOOP_ENCODER back" in str(run.failure_reason)


def test_another_base_model_of_the_same_method_goes_on_from_its_own_base_adapter(
    worker: Worker,
) -> None:
    worker.standins["label_aware"] = StandIn("label_aware")
    worker.standins["label_aware"].base_digest = "f" * 64
    files = {**worker.context.artifacts.read(worker.adapter("label_aware").artifact_digest)}
    other = worker.context.artifacts.put({**files, "adapter_config.json": b"another"})
    adapter = replace(worker.adapter("label_aware"), base_digest="f" * 64, artifact_digest=other)
    with worker.database.begin() as session:
        added = switching.use_method(session, worker.project, adapter)
        assert added is not None
        assert switching.use_method(session, worker.project, adapter) is None
        former = switching.base_version(session, worker.project, "label_aware", "l" * 64)
        assert (former.number, added.number) == (0, 1)
    [(run_id, _)] = worker.annotate()
    train_run(worker.context, run_id)
    with worker.database.read() as session:
        [run] = runs.recent(session, worker.project)
        assert (run.state, run.failure_reason) == ("succeeded", None)
        made = versions.version(session, worker.project, 2)
    assert made.base_digest == "f" * 64


def test_a_waiting_run_of_the_former_method_is_cancelled(worker: Worker) -> None:
    [(run_id, method)] = worker.annotate()
    assert method == "label_aware"
    with worker.database.begin() as session:
        switching.use_method(session, worker.project, worker.adapter("cllmfs"))
    train_run(worker.context, run_id)
    with worker.database.read() as session:
        [run] = runs.recent(session, worker.project)
        assert len(versions.versions(session, worker.project)) == 2
    assert (run.state, run.failure_kind) == ("failed", "cancelled")


def test_a_lane_without_its_base_adapter_is_told(database: Database, make_project: Any) -> None:
    project = make_project()
    with (
        database.read() as session,
        pytest.raises(Exception, match="nerloop connect --project 1 --method label_aware"),
    ):
        switching.base_version(session, project.id, "label_aware")
