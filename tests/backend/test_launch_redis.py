"""The embedded Redis: a real server, started and asked."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from backend.launch import embedded_redis
from backend.launch.checks import free_port
from backend.launch.home import Home
from backend.launch.processes import Supervisor

PASSWORD = "a-password-for-the-test"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home.at(tmp_path / "a home with blanks")
    made.prepare()
    return made


@pytest.fixture
def port(home: Home) -> Iterator[int]:
    supervisor = Supervisor(home.root, print)
    chosen = embedded_redis.redis_port(home)
    try:
        supervisor.start(embedded_redis.redis_service(home, chosen, PASSWORD))
        supervisor.wait_until("redis", lambda: embedded_redis.redis_answers(chosen, PASSWORD), 20)
        yield chosen
    finally:
        supervisor.stop()


def test_it_answers_to_its_password_only(port: int) -> None:
    with Redis.from_url(embedded_redis.redis_url(port, PASSWORD)) as client:
        assert client.ping()
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    with Redis(port=port, password="wrong") as stranger, pytest.raises(AuthenticationError):
        stranger.ping()
    assert not embedded_redis.redis_answers(port, "wrong")
    assert not embedded_redis.redis_answers(free_port(), PASSWORD)


def test_the_password_is_in_no_command_line_and_its_file_is_private(home: Home) -> None:
    service = embedded_redis.redis_service(home, 7000, PASSWORD)
    assert PASSWORD not in " ".join(service.command)
    assert PASSWORD not in str(service.environment)
    configuration = home.redis / "redis.conf"
    assert PASSWORD in configuration.read_text()
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600


def test_the_port_stays_the_same_while_it_is_free(home: Home) -> None:
    first = embedded_redis.redis_port(home)
    assert embedded_redis.redis_port(home) == first
    (home.run / "redis.port").write_text("not a port")
    assert 0 < embedded_redis.redis_port(home) < 65536
