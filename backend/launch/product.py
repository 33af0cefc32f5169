"""nerloop's own programs: backend, courier and workers, and the environment they share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from backend.launch.home import HOME_VARIABLE, Home
from backend.launch.secrets import LocalSecrets, basic_auth, read_secrets
from backend.launch.services import Service

HEALTH_SECONDS = 90.0
WORKER_NICE = 10
# stray names of a shell or a CI machine that would move our own server
_DROPPED = ("HOST", "PORT")
# threads that wait for each other must not spin: backend, worker and Label Studio share the cores,
# and spinning made a training run on two busy cores some sixty times slower
_PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
PORT_FILE = "backend.port"


def product_environment(
    home: Home, port: int, redis: str, secrets: LocalSecrets, environ: Mapping[str, str]
) -> dict[str, str]:
    """The environment of our programs: the user's settings, then what this start decided.

    Args:
        home: Whose files and secrets they use.
        port: Where the backend listens.
        redis: Address of Redis, password included.
        secrets: Of this home.
        environ: The environment nerloop was started in.
    """
    kept = {name: value for name, value in environ.items() if name not in _DROPPED}
    (home.run / PORT_FILE).write_text(f"{port}\n", encoding="utf-8")
    return (
        _PATIENT
        | kept
        | basic_auth(secrets, environ)
        | {
            HOME_VARIABLE: str(home.root),
            "NERLOOP_HOST": environ.get("NERLOOP_HOST") or "127.0.0.1",
            "NERLOOP_PORT": str(port),
            "REDIS_URL": redis,
            "PYTHONUNBUFFERED": "1",
        }
    )


def command_environment(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a single command, for example `nerloop connect`, on a started home.

    What a start decided (port and Basic auth) is added where the user says nothing else.

    Raises:
        HomeError: If the home's secrets are damaged.
    """
    found: dict[str, str] = {}
    secrets = read_secrets(home)
    if secrets is not None:
        found |= basic_auth(secrets, environ)
    port_file = home.run / PORT_FILE
    if port_file.exists() and not environ.get("NERLOOP_PORT"):
        found["NERLOOP_PORT"] = port_file.read_text(encoding="utf-8").strip()
    return dict(environ) | found | {HOME_VARIABLE: str(home.root)}


def product_services(home: Home, environment: Mapping[str, str]) -> tuple[Service, ...]:
    """Backend, workers and courier, in the order to start them.

    Each queue has a worker of its own, so that a run of seconds never waits for one of minutes; the
    slow one yields to the people who are labelling. The courier looks for Label Studio at once.
    """

    def service(name: str, *arguments: str, nice: int = 0) -> Service:
        return Service(
            name=name,
            # -P: a folder called "backend" in the working directory must not be imported
            command=(sys.executable, "-P", "-m", *arguments),
            environment=environment,
            folder=Path.cwd(),
            log=home.logs / f"{name}.log",
            nice=nice,
        )

    return (
        service("backend", "backend"),
        service("worker", "worker", "--queue", "slow", nice=WORKER_NICE),
        service("worker-fast", "worker", "--queue", "fast"),
        service("courier", "backend.courier"),
    )


def backend_answers(port: int) -> bool:
    """Whether the backend says it is up."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    # a server that asks for the password is up too
    return answer.status_code in (httpx.codes.OK, httpx.codes.UNAUTHORIZED)
