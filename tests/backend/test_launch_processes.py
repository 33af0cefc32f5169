"""The supervisor and its warden, with real small processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from backend.launch.errors import ServiceError
from backend.launch.processes import Supervisor
from backend.launch.services import Service, bare_environment
from backend.launch.warden import remaining


def service(tmp_path: Path, name: str, script: str, *, nice: int = 0) -> Service:
    return Service(
        name=name,
        command=(sys.executable, "-c", script),
        environment=bare_environment(),
        folder=tmp_path,
        log=tmp_path / "logs" / f"{name}.log",
        nice=nice,
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _says_up(log: Path) -> bool:
    return log.exists() and "up" in log.read_text()


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, said.append)
    yield made
    made.stop()


def test_a_program_runs_in_its_own_group_and_writes_its_log(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(service(tmp_path, "one", "print('hello', flush=True); input()", nice=3))
    log = tmp_path / "logs" / "one.log"
    supervisor.start(service(tmp_path, "two", "import time; time.sleep(60)", nice=3))
    pid = supervisor.pids()["two"]
    assert os.getpgid(pid) == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    assert until(lambda: "hello" in log.read_text())


def test_a_large_log_is_put_aside_before_a_start(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.launch.processes.LARGEST_LOG", 10)
    log = tmp_path / "logs" / "x.log"
    log.parent.mkdir()
    log.write_text("short\n")
    supervisor.start(service(tmp_path, "x", "print('more')"))
    assert until(lambda: log.read_text() == "short\nmore\n")
    supervisor.start(service(tmp_path, "x", "print('fresh')"))
    assert until(lambda: log.read_text() == "fresh\n")
    assert (log.parent / "x.log.1").read_text() == "short\nmore\n"


def test_a_program_that_ends_at_once_is_reported_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(service(tmp_path, "bad", "raise SystemExit('DATABASE_URL is wrong')"))
    with pytest.raises(ServiceError, match=r"bad ended at once \(exit code 1\): DATABASE_URL is"):
        supervisor.wait_until("bad", lambda: False, 10)


def test_a_program_that_is_never_ready_is_reported(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(service(tmp_path, "slow", "import time; time.sleep(60)"))
    with pytest.raises(ServiceError, match=r"slow was not ready after 0 s"):
        supervisor.wait_until("slow", lambda: False, 0.3)


def test_a_missing_program_is_one_sentence(supervisor: Supervisor, tmp_path: Path) -> None:
    missing = Service("gone", ("/nonexistent/program",), {}, tmp_path, tmp_path / "gone.log")
    with pytest.raises(ServiceError, match=r"gone cannot be started: /nonexistent/program"):
        supervisor.start(missing)


def test_a_killed_program_is_started_again_and_said_so(tmp_path: Path, said: list[str]) -> None:
    now = [1000.0]
    supervisor = Supervisor(tmp_path, said.append, clock=lambda: now[0])
    try:
        supervisor.start(service(tmp_path, "worker", "import time; time.sleep(60)"))
        first = supervisor.pids()["worker"]
        os.kill(first, signal.SIGKILL)
        assert until(lambda: "worker" not in supervisor.pids())
        supervisor.look_after()
        assert "worker stopped (signal SIGKILL) and is started again in 1 s" in said[0]
        supervisor.look_after()
        assert supervisor.pids() == {}  # not before its pause is over
        now[0] += 1.1
        supervisor.look_after()
        assert said[1] == "worker runs again"
        assert supervisor.pids()["worker"] != first
    finally:
        supervisor.stop()


def test_pauses_grow_to_a_limit_and_start_over_after_a_steady_minute(
    tmp_path: Path, said: list[str]
) -> None:
    """1, 2, 4, 8, 16, 30, 30 seconds; after 61 seconds alive: 1 again."""
    now = [0.0]
    supervisor = Supervisor(tmp_path, said.append, clock=lambda: now[0])
    try:
        supervisor.start(service(tmp_path, "crash", "pass"))
        for _ in range(7):
            assert until(lambda: supervisor.pids() == {})
            supervisor.look_after()
            now[0] += 30.5
            supervisor.look_after()
        assert until(lambda: supervisor.pids() == {})
        now[0] += 61
        supervisor.look_after()
        pauses = [line.split("again in ")[1].split(" s")[0] for line in said if "again in" in line]
        assert pauses == ["1", "2", "4", "8", "16", "30", "30", "1"]
    finally:
        supervisor.stop()


def test_stop_ends_children_too_and_stubborn_ones(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, print)
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    script = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    supervisor.start(service(tmp_path, "parent", script))
    parent = supervisor.pids()["parent"]
    log = tmp_path / "logs" / "parent.log"
    assert until(lambda: log.exists() and log.read_text().strip().isdigit())
    grandchild = int(log.read_text())
    supervisor.stop()
    assert until(lambda: not alive(parent), 5)
    assert until(lambda: not alive(grandchild), 5)
    supervisor.stop()  # harmless


def test_foundations_are_stopped_last(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, print)
    order = tmp_path / "order"
    script = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep({pause})\n"
        "    with open({order!r}, 'a') as f: f.write('{name} ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    for name, pause, foundation in (("redis", 0, True), ("worker", 0.4, False)):
        made = service(tmp_path, name, script.format(name=name, pause=pause, order=str(order)))
        supervisor.start(
            Service(name, made.command, made.environment, tmp_path, made.log, 0, foundation)
        )
        assert until(partial(_says_up, made.log))
    supervisor.stop()
    assert order.read_text() == "worker redis "


def test_nothing_outlives_a_supervisor_killed_with_signal_9(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from backend.launch.processes import Supervisor\n"
        "from backend.launch.services import Service, bare_environment\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "s = Supervisor(folder, print)\n"
        "command = (sys.executable, '-c', 'import time; time.sleep(60)')\n"
        "s.start(Service('x', command, bare_environment(), folder, folder / 'x.log'))\n"
        "print(s.pids()['x'], flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        started = int(parent.stdout.readline())
        assert alive(started)
        parent.kill()
        parent.wait()
    assert until(lambda: not alive(started))


def test_the_wardens_list() -> None:
    assert remaining(["+5\n", "+7\n", "-5\n", "+12\n", "nonsense\n", "\n", "-99\n"]) == {7, 12}
