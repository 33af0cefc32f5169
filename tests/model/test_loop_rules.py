"""The loop's pure rules: arms, trigger, set differences, the queue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.loop.acquisition import Candidate, queue_scores
from model.loop.arms import arm_of, held_out_share
from model.loop.gold import GoldText, fingerprint, new_shots
from model.loop.trigger import LaneState, TriggerSettings, decide

STATE = LaneState(
    fingerprint="new",
    finished=frozenset({"old"}),
    texts=5,
    spans=9,
    new_shots=5,
    last_shots=0,
    seconds_unchanged=0,
    waiting=False,
    paused=False,
    asked=False,
)


@pytest.mark.parametrize(
    ("change", "train", "reason"),
    [
        ({}, True, "5 new shots, 5 needed"),
        ({"new_shots": 4}, False, "4 new shots, 5 needed"),
        ({"new_shots": 9, "last_shots": 100}, False, "9 new shots, 10 needed"),
        ({"new_shots": 10, "last_shots": 100}, True, "10 new shots, 10 needed"),
        ({"new_shots": 1, "seconds_unchanged": 600}, True, "no change for a while"),
        ({"new_shots": 0, "seconds_unchanged": 9e9}, False, "0 new shots"),
        ({"fingerprint": "old"}, False, "nothing changed"),
        ({"fingerprint": "old", "asked": True}, True, "asked for"),
        ({"waiting": True, "asked": True}, False, "waiting already"),
        ({"paused": True, "asked": True}, False, "paused"),
        ({"spans": 0, "asked": True}, False, "no annotated span"),
    ],
)
def test_the_trigger(change: dict[str, object], train: bool, reason: str) -> None:
    decision = decide(replace(STATE, **change), TriggerSettings())  # type: ignore[arg-type]
    assert decision.train is train
    assert reason in decision.reason


def test_new_shots_are_a_set_difference() -> None:
    """Task 1: a span moved, 1. Task 2: two added, 2. Task 3: gone, 1. Task 4: newly empty, 1."""
    before = {1: [(0, 1, "A"), (3, 4, "A")], 2: [], 3: [(0, 1, "B")]}
    now = {1: [(0, 2, "A"), (3, 4, "A")], 2: [(0, 1, "A"), (2, 3, "A")], 4: []}
    assert new_shots(before, now) == 1 + 2 + 1 + 1
    assert new_shots(now, now) == 0


@given(st.permutations(range(6)))
def test_the_fingerprint_ignores_order(order: list[int]) -> None:
    gold = [GoldText(n, f"t{n}", 100 + n, ((0, n + 1, "A"), (9, 10, "B"))) for n in range(6)]
    shuffled = [replace(gold[n], spans=tuple(reversed(gold[n].spans))) for n in order]
    assert fingerprint(shuffled, "labels") == fingerprint(gold, "labels")
    assert fingerprint(gold, "labels") != fingerprint(gold, "other labels")
    assert fingerprint(gold[:5], "labels") != fingerprint(gold, "labels")


def test_the_fingerprint_ignores_who_edited_when() -> None:
    one = GoldText(1, "t", 7, ((0, 1, "A"),))
    assert fingerprint([one], "l") == fingerprint([replace(one, revision_id=8)], "l")


@pytest.mark.parametrize(("tasks", "share"), [(0, 0.3), (50, 0.3), (200, 0.15), (3000, 0.1)])
def test_held_out_share(tasks: int, share: float) -> None:
    assert held_out_share(tasks) == pytest.approx(share)


def test_arms_have_their_shares_and_never_change() -> None:
    """With a held-out share of 0.2 the random arm has 0.15 of the other 80 %."""
    arms = [arm_of("salt", n, "2026-01-01T00:00:00Z", 0.2) for n in range(20_000)]
    assert arms.count("held-out") / 20_000 == pytest.approx(0.2, abs=0.01)
    assert arms.count("random") / 20_000 == pytest.approx(0.12, abs=0.01)
    assert arms == [arm_of("salt", n, "2026-01-01T00:00:00+00:00", 0.2) for n in range(20_000)]
    assert arms != [arm_of("other", n, "2026-01-01T00:00:00Z", 0.2) for n in range(20_000)]


def test_the_queue_asks_for_the_least_certain_and_mixes_the_arms() -> None:
    active = [Candidate(n, "active", (n * 37 % 100) / 100) for n in range(100)]
    blind = [Candidate(1000 + n, "held-out", 0.0) for n in range(100)]
    places = queue_scores([*active, *blind], "salt")
    assert all(0 <= place <= 1 for place in places.values())
    ordered = sorted(active, key=lambda c: places[c.task_ref])
    assert [c.score for c in ordered] == sorted(c.score for c in active)
    first_half = sorted(places, key=lambda ref: places[ref])[:100]
    assert 35 <= sum(ref >= 1000 for ref in first_half) <= 65
