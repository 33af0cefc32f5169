"""Every queue has a worker: a run goes to the one of its method, and waits for no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loop_processes import RedisServer, WorkerProcess, until
from model.lanes import queue_of
from model.loop.trigger import TriggerSettings
from model.methods import load_base_for, open_method, start_adapter
from model.registry import predictions, projects, runs, versions
from model.registry.artifacts import ArtifactStore
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.spans import Label, LabelSet
from tiny_encoder import write_tiny_encoder

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SCALE = 0.5  # a fit may take a while to its first step where others use the cores
LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))


class TwoLanes:
    """A project of each method, without Label Studio: the test is the courier."""

    def __init__(self, home: Path, redis: RedisServer, bases: dict[str, Path]) -> None:
        self.home, self._redis, self._bases = home, redis, bases
        self.database = Database(f"sqlite:///{home / 'nerloop.db'}")
        self.database.upgrade()
        self.projects = {method: self._registered(method) for method in bases}
        self.workers: list[WorkerProcess] = []

    def _registered(self, method: str) -> int:
        base = load_base_for(method, self.home, str(self._bases[method]))
        opened = open_method(method, base)
        digest = ArtifactStore(self.home / "artifacts").put(start_adapter(opened, "none"))
        adapter = BaseAdapter(method, base.name, base.digest, digest, {})
        number = len(method)
        new = NewProject(
            f"{number}.17", "http://ls", number, method, "<View/>", LABELS, 0.0, adapter
        )
        with self.database.begin() as session:
            return projects.register(session, new).id

    def start(self, method: str) -> None:
        """Start the worker of a method's queue."""
        base, queue = self._bases[method], queue_of(method)
        self.workers.append(WorkerProcess(self.home, self._redis.url, base, SCALE, queue))

    def annotate(self, method: str) -> None:
        """Six annotations and an open task, as a pass finds them."""
        tasks = [SeenTask(99, "t", "Ben met nobody", ())]
        for n in range(1, 7):
            note = SeenAnnotation(n, "t", f"c{n}", "gold", False, ((0, 3, "PER"), (8, 12, "LOC")))
            tasks.append(SeenTask(n, "t", f"Ada saw Oslo {n}", (note,)))
        with self.database.begin() as session:
            now = projects.by_id(session, self.projects[method])
            read = PassInput(now.pass_no, now.dirty_seq, None, tasks)
            assert apply_pass(session, now.id, read, TriggerSettings()).runs

    def states(self, method: str) -> list[str]:
        """States of the project's runs."""
        with self.database.read() as session:
            return [run.state for run in runs.recent(session, self.projects[method])]

    def predicted(self, method: str) -> bool:
        """Whether version 1 is there, of this method, and its window is filled."""
        with self.database.read() as session:
            listed = versions.versions(session, self.projects[method])
            if len(listed) < 2:
                return False
            assert [view.method for view in listed] == [method, method]
            return predictions.complete(session, listed[1].id)


@pytest.fixture
def lanes(tmp_path: Path, tiny_base: Path) -> Iterator[TwoLanes]:
    home = tmp_path / "home"
    home.mkdir()
    redis = RedisServer(tmp_path / "redis")
    redis.start()
    encoder = write_tiny_encoder(tmp_path / "encoder", positions=512)
    made = TwoLanes(home, redis, {"cllmfs": tiny_base, "label_aware": encoder})
    yield made
    for worker in made.workers:
        worker.stop()
    redis.stop()
    made.database.close()


def test_a_run_is_worked_on_by_the_worker_of_its_queue_alone(lanes: TwoLanes) -> None:
    for method in ("cllmfs", "label_aware"):
        lanes.annotate(method)
    lanes.start("label_aware")
    until("the encoder's version", lambda: lanes.predicted("label_aware"), 240)
    assert lanes.states("label_aware") == ["succeeded"]
    assert lanes.states("cllmfs") == ["requested"]  # nobody there is of its queue
    lanes.start("cllmfs")
    until("the language model's version", lambda: lanes.predicted("cllmfs"), 240)
    assert lanes.states("cllmfs") == ["succeeded"]
    assert lanes.states("label_aware") == ["succeeded"]
