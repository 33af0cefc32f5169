"""The figures at /metrics: of this process, and of the registry in a bounded number of queries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from admin_registry import Seeded, seed
from backend.metric_families import quantile
from backend.metrics import SHADOW_SECONDS, Metrics
from model.registry import inbox, projects, runs, shadow
from model.registry.inbox import InboxEvent
from model.registry.session import Database, Session
from model.registry.shadow import ShadowSeries
from model.registry.tables import Project
from model.registry.tables_versions import TrainingRun
from registry_runs import nominate_other

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Values = dict[tuple[str, ...], float]


@pytest.fixture
def seeded(database: Database) -> Seeded:
    return seed(database, now=NOW)


class Scraper:
    """Scrapes at a time one may move."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seconds = 0.0
        self.metrics = Metrics(
            clock=lambda: self.seconds, now=lambda: NOW + timedelta(seconds=self.seconds)
        )

    def scrape(self) -> dict[str, Values]:
        """Name of a sample -> its label values in the order of their names -> its value."""
        found: dict[str, Values] = {}
        text = self.metrics.render(self.database).decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                values = found.setdefault(sample.name, {})
                assert labels not in values, sample
                values[labels] = sample.value
        return found


@pytest.fixture
def scraper(database: Database) -> Scraper:
    return Scraper(database)


UID = "1.1700000000"
TROUBLED = "2.1700000000"


def test_projects_are_told_with_what_they_serve_and_what_troubles_them(
    scraper: Scraper, seeded: Seeded
) -> None:
    found = scraper.scrape()
    assert found["nerloop_served_version"][UID,] == seeded.served
    assert found["nerloop_dirty"] == {(): 1.0}
    assert found["nerloop_passes_total"][UID,] == 412
    state = found["nerloop_project_state"]
    assert [state[name, UID] for name in ("connected", "pointer_drift")] == [1.0, 0.0]
    assert [state[name, TROUBLED] for name in ("connection_error", "pointer_drift")] == [1.0, 1.0]
    assert found["nerloop_held_out_documents"][UID,] == 51


def test_runs_are_counted_by_what_they_came_to_and_timed(
    scraper: Scraper, seeded: Seeded, database: Database
) -> None:
    with database.begin() as session:
        for row in session.query(TrainingRun):
            row.fence = row.attempt  # as if claimed so often and never revoked
            if row.id == seeded.running:
                row.fence += 2
    found = scraper.scrape()
    counted = found["nerloop_runs"]
    assert counted["cllmfs", "", UID, "running"] == 1
    assert counted["cllmfs", "memory", UID, "failed"] == 1
    assert counted["cllmfs", "version", UID, "succeeded"] == 5
    assert found["nerloop_revocations_total"] == {(): 2.0}
    assert found["nerloop_run_seconds"]["cllmfs", "0.5"] == 420.0


def test_the_age_of_a_queue_is_that_of_its_oldest_run(
    scraper: Scraper, database: Database, make_project: Callable[..., Project]
) -> None:
    first, second = make_project(1), make_project(2)
    assert scraper.scrape()["nerloop_queue_age_seconds"] == {("fast",): 0.0, ("slow",): 0.0}
    with database.begin() as session:
        for project, method, age in (
            (first, "cllmfs", 50),
            (second, "cllmfs", 90),
            (second, "label_aware", 7),
        ):
            made = runs.request(session, project.id, method, "x", None)
            session.get_one(TrainingRun, made).requested_at = NOW - timedelta(seconds=age)
    scraper.seconds = 10.0
    found = scraper.scrape()
    assert found["nerloop_queue_age_seconds"] == {("fast",): 17.0, ("slow",): 100.0}
    assert found["nerloop_window_age_seconds"] == {("fast",): 0.0, ("slow",): 0.0}


def test_changes_that_no_webhook_told_are_counted_for_a_day(
    scraper: Scraper, seeded: Seeded, database: Database
) -> None:
    # the seed lays down one annotation every three hours, the newest some five hours ago
    assert scraper.scrape()["nerloop_changes_without_event"][UID,] == 7
    with database.begin() as session:
        told = InboxEvent("ANNOTATION_CREATED", ("annotation", 5169, None), annotation_id=5169)
        inbox.record(session, seeded.projects[1], [told])
    assert scraper.scrape()["nerloop_changes_without_event"][UID,] == 6
    scraper.seconds = 3 * 86400.0
    assert scraper.scrape()["nerloop_changes_without_event"][UID,] == 0


def test_verdicts_and_shadow_scores_are_told(scraper: Scraper, seeded: Seeded) -> None:
    found = scraper.scrape()
    assert found["nerloop_verdicts_total"][UID, "REJECT"] == 1
    assert found["nerloop_verdicts_total"]["3.1700000000", "REJECT"] == 0
    f1 = found["nerloop_shadow_f1"]
    assert 0 < f1[UID, "held-out", "served"] < 1
    assert found["nerloop_shadow_documents"][UID, "active", "served"] > 0


def test_of_two_candidates_the_one_of_the_projects_method_is_told(
    scraper: Scraper, seeded: Seeded, database: Database
) -> None:
    first = seeded.projects[1]
    alone = scraper.scrape()["nerloop_shadow_documents"]
    assert alone[UID, "held-out", "candidate"] > 0
    with database.begin() as session:
        nominate_other(session, first, 99, "label_aware")
    scraper.seconds = SHADOW_SECONDS
    assert scraper.scrape()["nerloop_shadow_documents"] == alone
    with database.begin() as session:
        projects.by_id(session, first).method = "label_aware"
    scraper.seconds = 2 * SHADOW_SECONDS
    assert scraper.scrape()["nerloop_shadow_documents"][UID, "held-out", "candidate"] == 0


def test_shadow_scores_are_counted_once_a_minute(
    scraper: Scraper, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    real = shadow.series

    def series(session: Session, project_id: int, *, resting: bool) -> list[ShadowSeries]:
        counted.append(project_id)
        return real(session, project_id, resting=resting)

    monkeypatch.setattr(shadow, "series", series)
    for seconds in (0.0, 1.0, SHADOW_SECONDS - 1, SHADOW_SECONDS):
        scraper.seconds = seconds
        assert scraper.scrape()["nerloop_shadow_f1"]
    assert len(counted) == 2 * len(seeded.projects)


def test_more_projects_cost_no_more_queries(
    scraper: Scraper, database: Database, make_project: Callable[..., Project]
) -> None:
    def queries() -> int:
        asked: list[str] = []

        def ask(connection: object, cursor: object, statement: str, *more: object) -> None:
            asked.append(statement)

        engine = database._engine
        event.listen(engine, "before_cursor_execute", ask)
        scraper.scrape()
        event.remove(engine, "before_cursor_execute", ask)
        return len(asked)

    make_project(1)
    few = queries()
    for number in range(2, 12):
        make_project(number)
    assert queries() == few
    assert few <= 10


def test_without_a_registry_the_process_tells_its_own(database: Database) -> None:
    metrics = Metrics()
    metrics.lost_events.inc()
    assert b"nerloop_lost_events_total 1.0" in metrics.render_process()
    with database.begin() as session:
        assert projects.every(session) == []
    assert b"nerloop_lost_events_total 1.0" in metrics.render(database)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.9, 4.0), (0.99, 4.0), (0.0, 1.0)])
def test_quantiles_are_of_the_nearest_rank(share: float, value: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == value


DOCS = Path(__file__).parents[2] / "docs" / "how-to"
NAME = re.compile(r"\bnerloop_[a-z0-9_]+")


@pytest.fixture
def told(scraper: Scraper, seeded: Seeded) -> set[str]:
    """Names of all samples, those of labelled counters included."""
    metrics = scraper.metrics
    metrics.events.labels("true").inc()
    metrics.adapters_wanted.labels("hit").inc()
    return {name for name in scraper.scrape() if not name.endswith("_created")}


def expressions() -> list[str]:
    board = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["targets"] and panel["title"] and panel["description"] for panel in panels)
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_dashboard_asks_for_metrics_that_exist_and_for_all_of_them(told: set[str]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert asked <= told
    histogram = {f"nerloop_predict_seconds_{part}" for part in ("bucket", "count", "sum")}
    assert asked | histogram == told


def test_the_page_names_every_metric_and_none_else(told: set[str]) -> None:
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    listed = {NAME.findall(line)[0] for line in page.splitlines() if line.startswith("| `nerloop_")}
    histogram = {f"nerloop_predict_seconds_{part}" for part in ("bucket", "count", "sum")}
    assert listed == told - histogram | {"nerloop_predict_seconds"}
    assert set(NAME.findall(page)) <= told | listed
