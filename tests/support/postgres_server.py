"""A throw-away PostgreSQL from the machine's own binaries, on a socket and on no port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from model.registry.session import Database

INSTALLED = Path("/usr/lib/postgresql")
TEMPLATE = "migrated"
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
"""Nothing in there outlives the tests, so nothing need survive a power cut."""

MEMORY = Path("/dev/shm")
ROOM = 2**30


class PostgresServer:
    """A running server; every database made on it has all migrations done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        template = Database(self.url(TEMPLATE))
        template.upgrade()
        template.close()

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of a new database without rows; it is gone afterwards."""
        name = f"registry{next(self._numbers)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(create.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        try:
            yield self.url(name)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            self._execute(drop.format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_postgres(programs: Path) -> Iterator[PostgresServer]:
    """Start a server; at the end it is stopped and its folder deleted."""
    folder = Path(tempfile.mkdtemp(prefix="nerloop-postgres-", dir=_quick_folder()))
    data, account = folder / "data", _account()
    if account:
        shutil.chown(folder, account["user"], account["group"])
    settings = [word for item in FAST for word in ("-c", item)]
    network = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    start = [str(programs / "postgres"), "-D", str(data), *settings, *network]
    try:
        made = ["-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _run([str(programs / "initdb"), *made], account)
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(start, stdout=log, stderr=log, cwd=folder, **account) as server,
        ):
            try:
                ready = [str(programs / "pg_isready"), "-h", str(folder)]
                _wait(ready, server, folder / "log")
                yield PostgresServer(folder)
            finally:
                server.send_signal(signal.SIGQUIT)  # at once: nothing there need survive
                server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _quick_folder() -> Path | None:
    """Memory, if there is a file system of it with room: every database is a thousand files."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        return MEMORY if shutil.disk_usage(MEMORY).free > ROOM else None
    return None


def postgres_programs(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder with PostgreSQL's server programs, the newest if there are several."""
    on_path = shutil.which("initdb", path=environ.get("PATH"))
    if on_path:
        return Path(on_path).resolve().parent
    found = [item for item in INSTALLED.glob("*/bin") if (item / "initdb").exists()]
    return max(found, key=lambda item: float(item.parent.name), default=None)


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; then it runs as its own user or as nobody."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    chosen = known.get("postgres") or known["nobody"]
    return {"user": chosen.pw_name, "group": chosen.pw_gid, "extra_groups": []}


def _run(command: Sequence[str], account: Mapping[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **account)
    assert done.returncode == 0, done.stderr


def _wait(ready: Sequence[str], server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
            return
        assert server.poll() is None, log.read_text()
        try:
            server.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"PostgreSQL did not start: {log.read_text()}")
