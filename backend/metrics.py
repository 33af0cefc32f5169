"""What Prometheus may ask of the backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from backend.metric_families import Families, Shadow
from model.registry import shadow
from model.registry.base import utc_now
from model.registry.figures import Figures, figures
from model.registry.session import Database, Session

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0)

SHADOW_SECONDS = 60.0
"""How long shadow scores are told again before they are counted anew."""


class Metrics:
    """Counters of this process, and what the registry knows of the others.

    No text, label or credential is ever a label value.

    Args:
        clock: Monotonic seconds.
        now: The present time, aware.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clock, self._now = clock, now
        self._shadow: Shadow = {}
        self._shadow_until = float("-inf")
        self.registry = CollectorRegistry()
        self.predict_seconds = Histogram(
            "nerloop_predict_seconds",
            "Time of a /predict request, in seconds.",
            registry=self.registry,
            buckets=BUCKETS,
        )
        self.predicted = self._counter("predicted_tasks", "Tasks answered by /predict.")
        self.failed_texts = self._counter("failed_texts", "Texts no prediction could be made for.")
        self.refused = self._counter("refused_requests", "Requests refused while overloaded.")
        self.lost_events = self._counter("lost_events", "Webhooks refused: the database was busy.")
        self.load_failures = self._counter("adapter_load_failures", "Adapters refused at loading.")
        self.adapters_wanted = self._counter(
            "adapter_cache",
            "Adapters looked up for a prediction: in memory, or to be read.",
            "result",
        )
        self.events = self._counter("events", "Webhooks received.", "known")

    def render(self, database: Database) -> bytes:
        """The text format, with the loop's state read from the registry."""
        now = self._now()
        with database.read() as session:
            found = figures(session, now)
            families = Families(found, self._shadow_scores(session, found), now)
        # the client only ever calls collect() of what it is given
        return self.render_process() + generate_latest(cast("CollectorRegistry", families))

    def render_process(self) -> bytes:
        """The text format without asking the registry."""
        return generate_latest(self.registry)

    def _shadow_scores(self, session: Session, found: Figures) -> Shadow:
        """Scores of the projects in use; counting them costs more than all else together."""
        if self._clock() >= self._shadow_until:
            in_use = [item for item in found.projects if item.connected]
            # one candidate each: a second one would be the same series twice
            self._shadow = {
                item.uid: shadow.series(session, item.id, resting=False) for item in in_use
            }
            self._shadow_until = self._clock() + SHADOW_SECONDS
        return self._shadow

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"nerloop_{name}", about, labels, registry=self.registry)
