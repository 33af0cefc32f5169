"""The walk of `nerloop up` and `nerloop demo`: check, install, start, wait, look after, stop."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backend.demo.project import HELD_OUT_SHARE, ensure_demo_project
from backend.enrolment import Enrolment
from backend.labelstudio.connect import connect
from backend.labelstudio.tokens import Connection
from backend.launch import checks, embedded_redis, guidance, label_studio, product
from backend.launch import label_studio_install as installation
from backend.launch.first_admin import ensure_first_admin
from backend.launch.home import Home
from backend.launch.news import Seen, look, news
from backend.launch.preparation import prepare
from backend.launch.processes import Supervisor
from backend.launch.secrets import LocalSecrets, ensure_secrets
from backend.launch.services import Service
from backend.launch.steps import Steps
from backend.launch.stopping import StopRequested, signals_ignored, signals_stop
from backend.secret_values import Secret
from backend.settings import Settings
from model.registry.artifacts import ArtifactStore
from model.registry.session import Database

LOOK_SECONDS = 2.0
REDIS_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What a start is asked to do.

    Attributes:
        home: Where its state lives.
        backend_port: Where the backend listens.
        label_studio_port: Where the demo's Label Studio listens; None starts none.
        check: Stop again as soon as everything is ready.
    """

    home: Home
    backend_port: int = 9090
    label_studio_port: int | None = None
    check: bool = False


def run(options: StartOptions, steps: Steps) -> None:
    """Start everything, say where it is, and stay until asked to stop.

    Raises:
        LaunchError: If something prevents the start; nothing is left running.
        NerLoopError: If the base model or the database cannot be used.
    """
    options.home.prepare()
    ready = False
    with options.home.locked(), signals_stop():
        try:
            with _Start(options, steps).everything() as (supervisor, database):
                ready = True
                if options.check:
                    steps.say("Everything answers; stopping again because of --check.")
                else:
                    _look_after(supervisor, database, steps, options.home)
        except StopRequested:
            if not ready:
                steps.say("Stopped before it was ready; the next start goes on from here.")
                raise SystemExit(130) from None


class _Start:
    def __init__(self, options: StartOptions, steps: Steps) -> None:
        self._home = options.home
        self._options = options
        self._steps = steps
        self._own_redis = not os.environ.get("REDIS_URL")
        self._label_studio = installation.Environment.of(options.home, os.environ)

    @contextmanager
    def everything(self) -> Iterator[tuple[Supervisor, Database]]:
        self._check()
        secrets = ensure_secrets(self._home)
        redis_port = embedded_redis.redis_port(self._home)
        redis = os.environ.get("REDIS_URL") or embedded_redis.redis_url(
            redis_port, secrets.redis_password
        )
        environment = product.product_environment(
            self._home, self._options.backend_port, redis, secrets, os.environ
        )
        settings = Settings.from_environ(environment)
        database = self._prepared(settings)
        supervisor = Supervisor(Path.cwd(), self._steps.say)
        try:
            if self._own_redis:
                self._start_redis(supervisor, redis_port, secrets)
            self._start_rest(supervisor, product.product_services(self._home, environment), secrets)
            lines = self._guidance(settings, database, secrets)
            supervisor.require_all()
            for line in lines:
                self._steps.say(line)
            yield supervisor, database
        finally:
            with signals_ignored(), self._steps.step("Stopping"):
                supervisor.stop()
                database.close()

    def _check(self) -> None:
        options, needed, what = self._options, checks.RESTART_BYTES, "nerloop"
        checks.require_port(options.backend_port, "nerloop's backend", "--backend-port")
        if not (self._home.root / "base").exists():
            needed = checks.UP_BYTES
        if options.label_studio_port is not None:
            checks.require_port(options.label_studio_port, "Label Studio", "--port")
            if not self._label_studio.ready:
                needed, what = checks.DEMO_BYTES, "the demo with Label Studio"
        checks.require_disk(self._home.root, needed, what)

    def _prepared(self, settings: Settings) -> Database:
        prepare(settings, self._steps)
        if self._options.label_studio_port is not None and not self._label_studio.ready:
            title = f"Installing Label Studio {installation.VERSION} (once, about 1 GB)"
            with self._steps.step(title) as detail:
                installation.install(self._label_studio, detail)
        return Database(settings.database_url.reveal())

    def _start_redis(self, supervisor: Supervisor, port: int, secrets: LocalSecrets) -> None:
        password = secrets.redis_password
        with self._steps.step("Redis"):
            supervisor.start(embedded_redis.redis_service(self._home, port, password))
            supervisor.wait_until(
                "redis", lambda: embedded_redis.redis_answers(port, password), REDIS_SECONDS
            )

    def _start_rest(
        self, supervisor: Supervisor, services: tuple[Service, ...], secrets: LocalSecrets
    ) -> None:
        port = self._options.label_studio_port
        known = label_studio.was_started_before(self._home)
        if port is not None:  # first, since it takes longest
            supervisor.start(
                label_studio.label_studio_service(self._home, self._label_studio, port, secrets)
            )
        *at_once, courier = services
        for service in at_once:
            supervisor.start(service)
        with self._steps.step("Backend and workers"):
            supervisor.wait_until(
                "backend",
                lambda: product.backend_answers(self._options.backend_port),
                product.HEALTH_SECONDS,
            )
        if port is not None:
            hint = "" if known else " (its first start takes half a minute)"
            with self._steps.step(f"Label Studio{hint}"):
                supervisor.wait_until(
                    "label-studio",
                    lambda: label_studio.label_studio_answers(
                        self._home, port, secrets.label_studio_token
                    ),
                    label_studio.START_SECONDS,
                )
        supervisor.start(courier)

    def _guidance(self, settings: Settings, database: Database, secrets: LocalSecrets) -> list[str]:
        command = guidance.command_line(self._home)
        port = self._options.label_studio_port
        if port is None:
            return guidance.after_up(settings.port, command, self._home)
        url = f"http://127.0.0.1:{port}"
        with self._steps.step("Demo project"):
            number = ensure_demo_project(url, secrets.label_studio_token)
            self._connect(settings, database, url, number, secrets)
        password = secrets.label_studio_password
        return guidance.after_demo(
            url,
            number,
            password,
            command,
            self._home,
            admin_url=guidance.admin_pages(settings.port),
            admin_password=ensure_first_admin(self._home, database),
        )

    def _connect(
        self, settings: Settings, database: Database, url: str, number: int, secrets: LocalSecrets
    ) -> None:
        connect(
            Connection(url, Secret(secrets.label_studio_token)),
            number,
            backend_url=f"http://127.0.0.1:{settings.port}",
            settings=settings,
            database=database,
            enrolment=Enrolment(database, ArtifactStore(settings.artifacts), settings),
            held_out=HELD_OUT_SHARE,
        )


def _look_after(supervisor: Supervisor, database: Database, steps: Steps, home: Home) -> None:
    command = guidance.command_line(home)
    before: Seen = {}
    looked_at = 0.0
    while True:
        supervisor.look_after()
        now = time.monotonic()
        if now - looked_at >= LOOK_SECONDS:
            looked_at = now
            # whatever ails the database, the programs are looked after; the next look is soon
            with suppress(Exception):
                after = look(database)
                for line in news(before, after, command):
                    steps.say(f"{time.strftime('%H:%M:%S')}  {line}")
                before = after
        time.sleep(0.5)
