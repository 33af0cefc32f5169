"""A run and a window are worked on with the method of their lane, a stand-in for each here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from model.lanes import queue_of
from model.loop.trigger import TriggerSettings
from model.method import AdapterFiles, Fitted, Progress
from model.methods import MethodEntry
from model.registry import aliases, predictions, projects, runs, switching, versions
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.registry.tables_versions import Evaluation
from model.spans import AnnotatedText, Label, LabelSet
from remembering_method import RememberingMethod, remembered
from worker.context import Context
from worker.prediction import predict_window
from worker.settings import WorkerSettings
from worker.training import train_run

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
BLANK = {"adapter_model.safetensors": b"", "adapter_config.json": b"{}"}
NOBODY = "redis://127.0.0.1:1/0"


class StandIn(RememberingMethod):
    """Remembers under a method's name, with the files an adapter must have."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.base_digest = name[0] * 64

    def fit(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText] = (),
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        made = super().fit(
            support, labels, start=start, seed=seed, held_out=held_out, on_step=on_step
        )
        return Fitted({**BLANK, **made.files}, made.config, made.report)


class Worker:
    """A worker's context with both methods, and a registry with one project."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.standins: dict[str, StandIn] = {}
        self.loaded: list[str] = []

        def entry(name: str) -> MethodEntry:
            def load(home: Path, base: str) -> Any:
                self.loaded.append(base)
                return cast("Any", base)

            def opened(base: Any, config: Any) -> StandIn:
                return self.standins.setdefault(name, StandIn(name))

            return MethodEntry(opened, lambda digest: None, load)

        known = {name: entry(name) for name in ("cllmfs", "label_aware")}
        monkeypatch.setattr("model.methods.METHODS", known)
        environ = {"NERLOOP_HOME": str(home), "REDIS_URL": NOBODY, "NERLOOP_TIME_SCALE": "0.01"}
        environ |= {"NERLOOP_BASE": "the-llm", "NERLOOP_ENCODER": "the-encoder"}
        home.mkdir()
        self.context = Context(WorkerSettings.from_environ(environ))
        self.database = self.context.database
        self.database.upgrade()
        self.project = self._registered("label_aware")

    def adapter(self, method: str) -> BaseAdapter:
        files = {**BLANK, **remembered({})}
        digest = self.context.artifacts.put({**files, "adapter_config.json": method.encode()})
        return BaseAdapter(method, f"base of {method}", method[0] * 64, digest, {})

    def _registered(self, method: str) -> int:
        new = NewProject("1.17", "http://ls", 1, "t", "<View/>", LABELS, 0.5, self.adapter(method))
        with self.database.begin() as session:
            return projects.register(session, new).id

    def annotate(self, count: int = 16) -> list[tuple[int, str]]:
        tasks = []
        for n in range(1, count + 1):
            note = SeenAnnotation(n, "t", f"c{n}", "gold", False, ((0, 3, "PER"),))
            tasks.append(SeenTask(n, "t", f"Ada said {n}", (note,)))
        tasks.append(SeenTask(99, "t", "Ada is open", ()))
        with self.database.begin() as session:
            now = projects.by_id(session, self.project)
            read = PassInput(now.pass_no, now.dirty_seq, None, tasks)
            return list(apply_pass(session, self.project, read, TriggerSettings()).runs)

    def evaluated(self) -> list[int]:
        """Numbers of the versions that were scored on held-out texts."""
        with self.database.read() as session:
            scored = {row.version_id for row in session.query(Evaluation)}
            listed = versions.versions(session, self.project)
            return [view.number for view in listed if view.id in scored]


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


def test_a_lane_without_its_base_adapter_is_told(database: Database, make_project: Any) -> None:
    project = make_project()
    with (
        database.read() as session,
        pytest.raises(Exception, match="nerloop connect --project 1 --method label_aware"),
    ):
        switching.base_version(session, project.id, "label_aware")
