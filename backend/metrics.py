"""What Prometheus may ask of the backend."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from model.registry import aliases, projects, runs
from model.registry.session import Database

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counters of one process; no text, label or credential is ever a label value."""

    def __init__(self) -> None:
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
        self.events = Counter(
            "nerloop_events",
            "Webhooks received.",
            ["known"],
            registry=self.registry,
        )
        self._dirty = self._gauge("dirty", "Projects with unread changes.", [])
        self._project = self._gauge(
            "project_state", "1 where the named condition holds.", ["project", "condition"]
        )
        self._served = self._gauge("served_version", "Number of the served version.", ["project"])
        self._runs = self._gauge("recent_runs", "The last 20 runs by state.", ["project", "state"])

    def render(self, database: Database) -> bytes:
        """The text format, with the loop's state read from the registry."""
        with database.read() as session:
            rows = projects.every(session)
            self._dirty.set(sum(row.dirty_seq != row.clean_seq for row in rows))
            for gauge in (self._project, self._served, self._runs):
                gauge.clear()
            for row in rows:
                self._served.labels(row.uid).set(aliases.served(session, row.id).number)
                drift = row.pointer_wanted is not None and row.pointer_seen != row.pointer_wanted
                for condition, holds in (
                    ("connected", row.connected),
                    ("connection_error", row.connection_error is not None),
                    ("config_error", row.config_error is not None),
                    ("pointer_drift", drift),
                ):
                    self._project.labels(row.uid, condition).set(holds)
                for run in runs.recent(session, row.id):
                    self._runs.labels(row.uid, run.state).inc()
        return self.render_process()

    def render_process(self) -> bytes:
        """The text format without asking the registry."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(f"nerloop_{name}", about, registry=self.registry)

    def _gauge(self, name: str, about: str, labels: list[str]) -> Gauge:
        return Gauge(f"nerloop_{name}", about, labels, registry=self.registry)
