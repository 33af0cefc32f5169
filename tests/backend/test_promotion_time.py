"""From promotion to annotator, on a Label Studio in memory and a clock that counts questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.application import build
from backend.cli.bench_promotion import measured, promotion_page
from backend.demo.annotating import NotTheDemoError
from backend.demo.promotion_time import (
    ACTOR,
    LIMIT_SECONDS,
    PromotionClock,
    PromotionTimeError,
    Timing,
    summary,
)
from backend.enrolment import Enrolment
from backend.labelstudio.client import LabelStudioClient
from backend.secret_values import Secret
from backend.settings import Settings
from courier_states import TASKS, Publishing
from fake_label_studio import FakeLabelStudio
from model.registry import aliases
from model.registry.errors import UnknownVersionError
from model.registry.session import Database


@pytest.fixture
def state(settings: Settings, registry: Database, enrolment: Enrolment) -> Publishing:
    """Versions 0 and 1, both predicted; version 0 is served."""
    made = Publishing(FakeLabelStudio(), settings, registry, enrolment)
    for number in (1, 0):
        made.predict()
        made.publish()
        made.promote(number)
    return made


@pytest.fixture
def client(state: Publishing) -> Iterator[LabelStudioClient]:
    token = Secret(state.fake.token)
    with LabelStudioClient("http://ls", token, transport=state.fake.transport()) as opened:
        yield opened


def clock_of(
    state: Publishing, client: LabelStudioClient, pair: tuple[int, int] = (0, 1)
) -> PromotionClock:
    """One second passes at each look at the clock; the courier works while it waits."""
    seconds = count()
    return PromotionClock(
        client,
        state.registry,
        state.row(),
        pair,
        clock=lambda: float(next(seconds)),
        sleep=lambda _: state.publish(),
    )


def test_both_ways_are_timed_and_the_served_version_is_put_back(
    state: Publishing, client: LabelStudioClient
) -> None:
    timings = list(clock_of(state, client).measure(3))
    assert [item.way for item in timings] == ["pushed"] * 3 + ["not pushed"] * 3
    assert [item.rows for item in timings] == [0] * 3 + [TASKS] * 3
    assert {item.version for item in timings} == {"1.0", "1.1"}
    # commit, one look after the question that still shows the old version, one at the end
    assert {(item.commit_seconds, item.seconds) for item in timings} == {(1.0, 2.0)}
    with state.registry.read() as session:
        assert aliases.served(session, 1).number == 0
        actors = {row.actor for row in aliases.history(session, 1) if row.alias == "served"}
    assert ACTOR in actors


def test_a_version_that_never_appears_ends_with_the_cause(
    state: Publishing, client: LabelStudioClient
) -> None:
    state.publish()  # annotators see version 0, so 1 is promoted first and gets stuck
    seconds = count(step=LIMIT_SECONDS)
    stuck = PromotionClock(
        client,
        state.registry,
        state.row(),
        (0, 1),
        clock=lambda: float(next(seconds)),
        sleep=lambda _: None,
    )
    with pytest.raises(PromotionTimeError, match=r"Version 1\.1 did not appear in 120 s"):
        list(stuck.measure(1))
    with state.registry.read() as session:
        assert aliases.served(session, 1).number == 0


def test_versions_that_cannot_be_measured(state: Publishing, client: LabelStudioClient) -> None:
    with pytest.raises(PromotionTimeError, match="two different"):
        list(clock_of(state, client, (1, 1)).measure(1))
    with pytest.raises(UnknownVersionError):
        list(clock_of(state, client, (0, 7)).measure(1))
    state.fake.add_task(99, "Ada met somebody new")
    state.read()
    with pytest.raises(PromotionTimeError, match="Version 0 has not predicted"):
        list(clock_of(state, client).measure(1))


def test_the_page_holds_what_was_measured() -> None:
    timings = [
        Timing("pushed", "1.1", 0, 0.004, 0.5),
        Timing("pushed", "1.0", 0, 0.006, 0.9),
        Timing("not pushed", "1.1", 260, 0.005, 1.5),
    ]
    value = measured(timings, ["--first", "0", "--second", "1", "--repeats", "2"], 1.25)
    found = summary(timings, "pushed")
    assert found is not None
    assert (found.repeats, found.median, found.lowest, found.highest) == (2, 0.7, 0.5, 0.9)
    page = promotion_page(json.loads(json.dumps(value)))
    assert "| 2 | 0 | 0.70 | 0.50 | 0.90 |" in page
    assert "| 1 | 260 | 1.50 | 1.50 | 1.50 |" in page
    assert "at most 6 ms" in page
    assert "1.2 processes wanted a core" in page
    assert "--first 0 --second 1 --repeats 2" in page


def test_another_project_than_the_demo_is_refused(
    state: Publishing, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "NERLOOP_HOME"):
        monkeypatch.delenv(name, raising=False)
    arguments = ["bench", "promotion", "--project", "1", "--home", str(home)]
    refused = CliRunner().invoke(build(), arguments)
    assert isinstance(refused.exception, NotTheDemoError)
