"""Figures of the registry in Prometheus' words; no text, label or credential is ever a value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from model.lanes import QUEUES, queue_of
from model.registry.figures import Figures, ProjectFigures
from model.registry.shadow import ShadowSeries

Shadow = Mapping[str, Sequence[ShadowSeries]]
"""A project's uid -> its shadow scores."""

QUANTILES = (0.5, 0.9, 0.99)
VERDICTS = ("PROMOTE", "HOLD", "REJECT")


class Families:
    """Metrics of one moment.

    Args:
        figures: What the registry tells.
        shadow: Shadow scores of the projects.
        now: The present time, aware.
    """

    def __init__(self, figures: Figures, shadow: Shadow, now: datetime) -> None:
        self._figures, self._shadow, self._now = figures, shadow, now

    def collect(self) -> Iterator[Metric]:
        """All of them, as Prometheus' client asks for them."""
        yield from self._of_projects()
        yield from self._of_runs()
        yield from self._of_queues()
        yield from self._of_scores()

    def _of_projects(self) -> Iterator[Metric]:
        projects = self._figures.projects
        dirty = GaugeMetricFamily("nerloop_dirty", "Projects with unread changes.")
        dirty.add_metric([], sum(item.dirty for item in projects))
        yield dirty
        yield _gauge(
            "project_state",
            "1 where the named condition holds.",
            ("project", "condition"),
            (row for item in projects for row in _conditions(item)),
        )
        yield _gauge(
            "served_version",
            "Number of the served version.",
            ("project",),
            (((item.uid,), item.served) for item in projects),
        )
        yield _gauge(
            "held_out_documents",
            "Annotated held-out documents as the gate counts them; it needs 25.",
            ("project",),
            (((item.uid,), item.held_out) for item in projects),
        )
        yield _gauge(
            "changes_without_event",
            "Changes of the last 24 hours that no webhook told.",
            ("project",),
            (((item.uid,), item.untold) for item in projects),
        )
        yield _counter(
            "passes",
            "Passes over Label Studio's state.",
            ("project",),
            (((item.uid,), item.passes) for item in projects),
        )

    def _of_runs(self) -> Iterator[Metric]:
        yield _gauge(
            "runs",
            "Training runs by state, and by what they came to.",
            ("project", "method", "state", "outcome"),
            (((r.uid, r.method, r.state, r.outcome), r.count) for r in self._figures.runs),
        )
        yield _gauge(
            "run_seconds",
            "Seconds from claim to end of the newest ended runs, by quantile.",
            ("method", "quantile"),
            (
                ((method, str(share)), quantile(seconds, share))
                for method, seconds in sorted(self._figures.run_seconds.items())
                for share in QUANTILES
            ),
        )
        revoked = CounterMetricFamily(
            "nerloop_revocations", "Runs taken from a worker that gave no sign."
        )
        revoked.add_metric([], self._figures.revocations)
        yield revoked

    def _of_queues(self) -> Iterator[Metric]:
        for name, about, waiting in (
            ("queue_age_seconds", "Age of the oldest waiting run.", self._figures.runs_waiting),
            (
                "window_age_seconds",
                "Age of the oldest waiting window of predictions.",
                self._figures.windows_waiting,
            ),
        ):
            yield _gauge(
                name,
                about,
                ("queue",),
                (((queue,), self._age(waiting, queue)) for queue in QUEUES),
            )

    def _age(self, waiting: Mapping[str, datetime], queue: str) -> float:
        since = [moment for method, moment in waiting.items() if queue_of(method) == queue]
        return max(0.0, (self._now - min(since)).total_seconds()) if since else 0.0

    def _of_scores(self) -> Iterator[Metric]:
        said = self._figures.verdicts
        yield _counter(
            "verdicts",
            "What the gate said.",
            ("project", "verdict"),
            (
                ((item.uid, verdict), said.get((item.uid, verdict), 0))
                for item in self._figures.projects
                for verdict in VERDICTS
            ),
        )
        series = [(uid, item) for uid, found in self._shadow.items() for item in found]
        places = ("project", "stream", "version")
        yield _gauge(
            "shadow_f1",
            "F1 in [0, 1] of the last 100 documents predicted before people answered.",
            places,
            (((uid, s.stream, s.state), s.f1) for uid, s in series if s.f1 is not None),
        )
        yield _gauge(
            "shadow_documents",
            "Documents behind that F1.",
            places,
            (((uid, s.stream, s.state), s.documents) for uid, s in series),
        )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of some values that is not below a share of them; nearest rank."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _conditions(item: ProjectFigures) -> Iterator[tuple[tuple[str, str], float]]:
    for condition, holds in (
        ("connected", item.connected),
        ("paused", item.paused),
        ("connection_error", item.unreachable),
        ("config_error", item.unusable),
        ("pointer_drift", item.drift),
    ):
        yield (item.uid, condition), float(holds)


_Rows = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, about: str, labels: tuple[str, ...], rows: _Rows) -> Metric:
    return _filled(GaugeMetricFamily(f"nerloop_{name}", about, labels=labels), rows)


def _counter(name: str, about: str, labels: tuple[str, ...], rows: _Rows) -> Metric:
    return _filled(CounterMetricFamily(f"nerloop_{name}", about, labels=labels), rows)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: _Rows) -> Metric:
    for values, figure in rows:
        family.add_metric(values, figure)
    return family
