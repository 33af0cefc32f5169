"""The courier's rounds: when which project is read, published, or left in peace for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from backend import queue
from backend.courier.publishing import publish
from backend.courier.reading import Memory, Read, read_project
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.errors import MissingTokenError
from backend.labelstudio.tokens import Connection, load_connection
from backend.settings import Settings
from model.errors import NerLoopError
from model.loop.trigger import TriggerSettings
from model.registry import heads, predictions, projects
from model.registry.errors import RegistryBusyError
from model.registry.heads import PassOutcome
from model.registry.session import Database
from model.registry.tables import Project

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
QUIET_SECONDS = 2.0
"""A pass waits until no event came for so long, so that a burst is read once."""
MAX_PAUSE_SECONDS = 60.0


class _QuickerCourierError(Exception):
    """Another courier committed a pass first; ours is rolled back."""


@dataclass
class Visit:
    """What the courier knows of one project."""

    memory: Memory = field(default_factory=Memory)
    connection: Connection | None = None
    client: LabelStudioClient | None = None
    next_pass: float = 0.0
    dirty_seq: int = -1
    last_event: float = 0.0
    not_before: float = 0.0
    failures: int = 0


class Courier:
    """Walks from project to project for ever.

    Args:
        settings: Intervals, trigger, Redis, folder of tokens.
        database: The registry.
        open_client: Opens a client; tests put theirs in.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        open_client: Callable[[Connection], LabelStudioClient] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._database, self._clock = settings, database, clock
        self._open_client = open_client or (lambda c: LabelStudioClient(c.url, c.token))
        self._trigger = TriggerSettings(
            min_shots=settings.min_shots, idle_seconds=settings.idle_seconds
        )
        self._visits: dict[int, Visit] = {}
        self._rung: set[tuple[int, int]] = set()

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set."""
        while not stop.is_set():
            self.round()
            stop.wait(POLL_SECONDS * self._settings.time_scale)

    def round(self) -> None:
        """Look at every connected project once; an error in one does not stop the others."""
        try:
            with self._database.read() as session:
                rows = list(projects.connected(session))
        except NerLoopError as error:
            log.warning("The registry cannot be read: %s", error)
            return
        except Exception as error:  # noqa: BLE001 - the courier outlives a restarted database
            log.warning("The registry cannot be read: %s", type(error).__name__)
            return
        for row in rows:
            visit = self._visits.setdefault(row.id, Visit())
            if self._clock() >= visit.not_before:
                self._visit(row, visit)

    def _visit(self, row: Project, visit: Visit) -> None:
        try:
            if self._is_due(row, visit):
                self.one_pass(row, visit)
            published = publish(self._client(row, visit), self._database, row.id)
            if published.pushed:
                log.info("Project %d: %d predictions pushed.", row.ls_id, published.pushed)
            self._recovered(row, visit)
        except RegistryBusyError:
            visit.not_before = self._clock() + POLL_SECONDS * self._settings.time_scale
        except NerLoopError as error:
            self._trouble(row, visit, str(error))
        except Exception as error:
            log.exception("Project %d: unexpected", row.ls_id)
            self._trouble(row, visit, f"An unexpected {type(error).__name__}; see the log.")

    def _is_due(self, row: Project, visit: Visit) -> bool:
        now = self._clock()
        if row.dirty_seq != visit.dirty_seq:
            visit.dirty_seq, visit.last_event = row.dirty_seq, now
        quiet = now - visit.last_event >= QUIET_SECONDS * self._settings.time_scale
        return now >= visit.next_pass or (row.dirty_seq != row.clean_seq and quiet)

    def one_pass(self, row: Project, visit: Visit) -> PassOutcome:
        """Read Label Studio, write heads and trigger decision in one transaction, ring.

        Raises:
            LabelStudioError: If Label Studio cannot be read; nothing was changed then.
        """
        visit.next_pass = self._clock() + self._settings.pass_seconds * self._settings.time_scale
        client = self._client(row, visit)
        read = read_project(client, row, visit.memory)
        asked_anew = _asks_for_other_labels(row, read)
        if asked_anew:
            # before the commit: after a crash in between, the next pass does all of it again
            for name in client.stored_versions(row.ls_id):
                if name.startswith(f"{row.ls_id}."):
                    client.delete_rows(row.ls_id, name)
        try:
            with self._database.begin() as session:
                if read.labels is not None:
                    changed = read.labels
                    projects.set_labels(
                        session, row.id, changed.config, changed.label_set, changed.error
                    )
                if read.project.pointer != row.pointer_seen:
                    projects.set_pointer(
                        session, row.id, seen=read.project.pointer, wanted=row.pointer_wanted
                    )
                if asked_anew:
                    predictions.forget_open(session, row.id)
                    projects.set_pointer(session, row.id, seen=read.project.pointer, wanted=None)
                outcome = heads.apply_pass(session, row.id, read.input, self._trigger)
                if not outcome.committed:
                    raise _QuickerCourierError
        except _QuickerCourierError:
            return PassOutcome(committed=False)
        if read.labels is None or read.labels.error is None:
            visit.memory.learn(outcome)
        if read.labels is not None and read.labels.error:
            log.warning("Project %d: %s", row.ls_id, read.labels.error)
        if outcome.without_event:
            log.info("Project %d: %d changes without event.", row.ls_id, outcome.without_event)
        self._ring(outcome)
        return outcome

    def _ring(self, outcome: PassOutcome) -> None:
        redis = self._settings.redis_url
        for run_id, method in outcome.runs:
            log.info("Training run %d requested: %s.", run_id, outcome.decision)
            queue.ring_train(redis, run_id, 0, method)
        with self._database.read() as session:
            waiting = predictions.waiting(session)
        for version_id, attempt, method in waiting:
            if (version_id, attempt) not in self._rung:  # the sweeper rings the later times
                self._rung.add((version_id, attempt))
                queue.ring_predict(redis, version_id, attempt, method)

    def _client(self, row: Project, visit: Visit) -> LabelStudioClient:
        connection = self._connection(row)
        if visit.client is None or connection != visit.connection:
            if visit.client is not None:
                visit.client.close()
            visit.client, visit.connection = self._open_client(connection), connection
        return visit.client

    def _connection(self, row: Project) -> Connection:
        try:
            return load_connection(self._settings.secrets, row.id)
        except MissingTokenError:
            token = self._settings.label_studio_token
            if token is None:
                raise
            return Connection(row.url, token)

    def _trouble(self, row: Project, visit: Visit, message: str) -> None:
        visit.failures += 1
        visit.next_pass = 0.0
        pause = min(MAX_PAUSE_SECONDS, 2.0 ** min(visit.failures, 10))
        visit.not_before = self._clock() + pause * self._settings.time_scale
        if message == row.connection_error:
            return
        log.warning("Project %d: %s", row.ls_id, message)
        self._remember(row, message)

    def _recovered(self, row: Project, visit: Visit) -> None:
        visit.failures = 0
        if row.connection_error is not None:
            log.info("Project %d: Label Studio can be reached again.", row.ls_id)
            self._remember(row, None)

    def _remember(self, row: Project, error: str | None) -> None:
        try:
            with self._database.begin() as session:
                projects.set_connection_error(session, row.id, error)
        except Exception as away:  # noqa: BLE001 - the courier outlives a restarted database
            log.warning("Project %d: its state was not kept: %s", row.ls_id, type(away).__name__)


def _asks_for_other_labels(row: Project, read: Read) -> bool:
    """Whether what was predicted so far answers questions that are no longer asked."""
    if read.labels is None or read.labels.label_set is None or not row.label_set:
        return False
    return read.labels.label_set.to_json() != row.label_set
