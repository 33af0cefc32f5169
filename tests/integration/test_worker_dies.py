"""Workers and Redis are killed, stopped and emptied; the rows come out right every time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from loop_processes import RedisServer, WorkerProcess, until
from model.base.load import load_base
from model.loop.trigger import TriggerSettings
from model.method import AdapterFiles
from model.registry import predictions, projects, runs, versions
from model.registry.artifacts import ArtifactStore
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.registry.tables_versions import TrainingRun
from model.spans import Label, LabelSet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SCALE = 0.05  # a lease of 3 s instead of 60
WORDS = "Ada met Bob near the old mill in Rome while it rained and nobody else was there . "


@dataclass
class Loop:
    """One project on a tiny base, without Label Studio: the test is its courier."""

    home: Path
    base: Path
    redis: RedisServer
    database: Database
    project: int
    workers: list[WorkerProcess]

    def worker(self) -> WorkerProcess:
        started = WorkerProcess(self.home, self.redis.url, self.base, SCALE)
        self.workers.append(started)
        return started

    def annotate(self, first: int, count: int, repeat: int = 1) -> tuple[tuple[int, str], ...]:
        """Annotations of new tasks as a pass finds them; ``repeat`` makes the texts longer."""
        tasks = []
        for n in range(first, first + count):
            note = SeenAnnotation(n, "t", f"c{n}", "gold", False, ((0, 3, "PER"), (8, 11, "PER")))
            tasks.append(SeenTask(n, "t", WORDS * repeat + str(n), (note,)))
        with self.database.begin() as session:
            now = projects.by_id(session, self.project)
            read = PassInput(now.pass_no, now.dirty_seq, None, tasks)
            return apply_pass(session, self.project, read, TriggerSettings()).runs

    def runs(self) -> list[TrainingRun]:
        with self.database.read() as session:
            return list(reversed(runs.recent(session, self.project)))

    def trained(self) -> list[int]:
        """Numbers of all versions but the base adapter."""
        with self.database.read() as session:
            return [v.number for v in versions.versions(session, self.project) if v.number]

    def step(self) -> int:
        """The running run's last written step."""
        return max((run.step for run in self.runs() if run.state == "running"), default=0)

    def settled(self) -> bool:
        """No run waits or runs."""
        return all(run.state in ("succeeded", "failed") for run in self.runs())


@pytest.fixture
def loop(tmp_path: Path, tiny_base: Path, tiny_adapter: AdapterFiles) -> Iterator[Loop]:
    home = tmp_path / "home"
    home.mkdir()
    database = Database(f"sqlite:///{home / 'nerloop.db'}")
    database.upgrade()
    digest = ArtifactStore(home / "artifacts").put(tiny_adapter)
    base = load_base(home, str(tiny_base))
    adapter = BaseAdapter("cllmfs", base.name, base.digest, digest, {})
    labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
    new = NewProject("1.17", "http://ls", 1, "t", "<View/>", labels, 0.0, adapter)
    with database.begin() as session:
        project = projects.register(session, new).id
    redis = RedisServer(tmp_path / "redis")
    redis.start()
    made = Loop(home, tiny_base, redis, database, project, [])
    yield made
    for worker in made.workers:
        worker.stop()
    redis.stop()
    database.close()


def in_training(loop: Loop, worker: WorkerProcess) -> int:
    """Wait until the run has made a step; the child's process id."""
    until("a step", lambda: loop.step() >= 1, 90)
    child = worker.child()
    assert child is not None
    return child


def test_a_killed_child_ends_in_one_version(loop: Loop) -> None:
    worker = loop.worker()
    assert len(loop.annotate(1, 24, repeat=12)) == 1
    os.kill(in_training(loop, worker), signal.SIGKILL)
    until("the version", loop.trained, 120)
    until("the end", loop.settled, 30)
    [run] = loop.runs()
    assert loop.trained() == [1]
    assert (run.state, run.attempt) == ("succeeded", 2)
    assert list((loop.home / "artifacts").glob("partial-*")) == []
    assert len(list((loop.home / "artifacts" / "sha256").glob("*/*"))) == 2


def test_a_killed_worker_is_followed_by_the_next(loop: Loop) -> None:
    worker = loop.worker()
    loop.annotate(1, 24, repeat=12)
    in_training(loop, worker)
    worker.kill_group()
    assert loop.trained() == []
    loop.worker()
    until("the version", loop.trained, 120)
    assert (loop.trained(), [run.attempt for run in loop.runs()]) == ([1], [2])


def test_a_sleeper_writes_nothing_after_it_lost_its_run(loop: Loop) -> None:
    sleeper = loop.worker()
    loop.annotate(1, 24, repeat=12)
    child = in_training(loop, sleeper)
    os.kill(child, signal.SIGSTOP)
    try:
        loop.worker()
        until("the version", loop.trained, 120)
    finally:
        os.kill(child, signal.SIGCONT)
    until("the sleeper's words", lambda: "another holder" in sleeper.log, 60)
    until("the end", loop.settled, 30)
    assert loop.trained() == [1]
    [run] = loop.runs()
    assert (run.state, run.attempt, run.fence) == ("succeeded", 2, 3)


def test_redis_away_for_a_minute_loses_nothing(loop: Loop) -> None:
    """A scaled minute (3 s) without Redis, while a run is asked for, and again during a run."""
    worker = loop.worker()
    until("the child", worker.child, 60)
    loop.redis.stop()
    loop.annotate(1, 8)
    until("the worker's words", lambda: "Redis" in worker.log, 30)
    assert loop.trained() == []
    loop.redis.start()
    until("the version", loop.trained, 120)
    loop.annotate(100, 24, repeat=12)
    in_training(loop, worker)
    loop.redis.stop()
    until("the second version", lambda: loop.trained() == [1, 2], 120)
    loop.redis.start()
    until("the end", loop.settled, 30)
    assert [run.state for run in loop.runs()] == ["succeeded", "succeeded"]


def test_an_emptied_redis_is_rung_again(loop: Loop) -> None:
    [(run_id, _)] = loop.annotate(1, 8)
    Redis.from_url(loop.redis.url).flushall()
    loop.worker()
    until("the version", loop.trained, 120)
    assert [run.id for run in loop.runs()] == [run_id]


def test_a_storm_during_a_run_leaves_one_follow_up(loop: Loop) -> None:
    worker = loop.worker()
    loop.annotate(1, 24, repeat=12)
    in_training(loop, worker)
    asked = [loop.annotate(1000 + 10 * n, 10) for n in range(20)]
    assert sum(len(item) for item in asked) == 1
    until("both versions", lambda: loop.trained() == [1, 2], 200)
    until("the end", loop.settled, 30)
    with loop.database.read() as session:
        newest = versions.version(session, loop.project, 2)
    assert newest.texts == 24 + 200  # the follow-up froze its data when it began
    assert len(loop.runs()) == 2


def test_windows_are_predicted_and_survive_a_kill(loop: Loop) -> None:
    tasks = [SeenTask(n, "t", WORDS * 8 + str(n)) for n in range(1, 121)]
    with loop.database.begin() as session:
        apply_pass(session, loop.project, PassInput(0, 0, None, tasks), TriggerSettings())
        version_id = versions.row(session, loop.project, 0).id
    worker = loop.worker()

    def stored() -> int:
        with loop.database.read() as session:
            return 120 - len(predictions.window(session, version_id))

    until("the first chunk", lambda: stored() >= 50, 120)
    child = worker.child()
    assert child is not None
    os.kill(child, signal.SIGKILL)
    until("all predictions", lambda: stored() == 120, 120)
    with loop.database.read() as session:
        rows = predictions.unpushed(session, version_id)
    assert sorted(row.task_id for row in rows) == list(range(1, 121))


def test_no_credential_on_a_command_line_or_in_a_log(loop: Loop) -> None:
    worker = loop.worker()
    loop.annotate(1, 8)
    until("the version", loop.trained, 120)
    password = loop.redis.url.split("@")[0].rsplit(":", 1)[1]
    lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(password.encode() in line for line in lines)
    assert password not in worker.log
