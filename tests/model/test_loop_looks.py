from __future__ import annotations

import math

import pytest

from model.loop.looks import Look, NotNow, Standing, level_of, next_look, resamples_at

FLOOR = 25
NEW = Standing("manual", fast=False)


def look(standing: Standing, documents: int) -> Look:
    found = next_look(standing, documents, FLOOR)
    assert isinstance(found, Look)
    return found


def refused(standing: Standing, documents: int) -> NotNow:
    found = next_look(standing, documents, FLOOR)
    assert isinstance(found, NotNow)
    return found


def test_below_the_floor_nothing_is_spent() -> None:
    found = refused(NEW, 24)
    assert found.needed == 25
    assert found.reason == "24 of the 25 held-out texts that a verdict needs are annotated."
    assert look(NEW, 25).number == 1


def test_a_person_gets_two_looks_of_half_the_level() -> None:
    assert look(NEW, 40) == Look(1, 0.025, 0.025)
    once = Standing("manual", fast=False, judged=True, lane_looks=9, pair_looks=1, last_number=1)
    assert look(once, 90) == Look(2, 0.025, None)
    twice = Standing("manual", fast=False, judged=True, lane_looks=10, pair_looks=2, last_number=2)
    found = refused(twice, 500)
    assert found.needed is None
    assert "a person decides" in found.reason


def test_a_look_of_another_policy_counts_too() -> None:
    """Judged as the lane's seventh look under ``auto``; the next number is free in any case."""
    before = Standing("manual", fast=False, judged=True, lane_looks=7, pair_looks=1, last_number=7)
    assert look(before, 90) == Look(8, 0.025, None)


def test_auto_spends_the_levels_of_the_lane() -> None:
    """Look i has 0.05 * 6 / (pi i)^2; there is no last one."""
    third = look(Standing("auto", fast=False, lane_looks=2, pair_looks=5, last_number=2), 60)
    assert third.number == 3
    assert third.level == pytest.approx(0.05 * 6 / (math.pi * 3) ** 2)
    assert third.later == pytest.approx(0.05 * 6 / (math.pi * 4) ** 2)


def test_all_levels_together_are_five_per_cent() -> None:
    exact = [level_of(number) for number in range(1, 6)]
    assert exact[0] == pytest.approx(0.0303964, rel=1e-5)
    assert sum(exact) < 0.05
    assert level_of(6) == level_of(100) == 0.001


def test_small_levels_take_more_draws() -> None:
    assert (resamples_at(0.025), resamples_at(0.01), resamples_at(0.0099)) == (
        10_000,
        10_000,
        100_000,
    )


def test_the_fast_lane_waits_for_something_new() -> None:
    def after(shots: int, fast: bool = True) -> Standing:
        return Standing("manual", fast, lane_looks=1, last_documents=40, new_shots=shots)

    found = refused(after(49), 49)
    assert found.needed == 50
    assert found.reason.startswith("49 shots and 9 held-out texts are new")
    assert look(after(50), 40)
    assert look(after(0), 50)
    assert look(after(0, fast=False), 40)
    assert look(Standing("manual", fast=True), 40)  # never looked at
