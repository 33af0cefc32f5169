"""The rule of retention, over plain values."""

from __future__ import annotations

import pytest

from model.loop.retention import KEPT_PER_LANE, Standing, to_condemn


def plain(number: int, lane: str = "cllmfs", **more: bool) -> Standing:
    return Standing(number, lane, more.get("needed", False), more.get("was_served", False))


def test_the_newest_ten_of_a_lane_are_kept_and_the_rest_goes() -> None:
    standings = [plain(number) for number in range(1, KEPT_PER_LANE + 4)]
    assert sorted(to_condemn(standings)) == [1, 2, 3]
    assert sorted(to_condemn(standings[:2:-1])) == []


def test_each_lane_counts_for_itself() -> None:
    fast = [plain(number, "label_aware") for number in range(1, 21)]
    slow = [plain(number) for number in range(21, 31)]
    assert sorted(to_condemn([*fast, *slow])) == list(range(1, 11))


def test_what_is_needed_stays_and_counts_among_the_newer_ones() -> None:
    standings = [plain(1, needed=True), plain(2), plain(3, needed=True), plain(4)]
    assert sorted(to_condemn(standings, keep=1)) == [2]


@pytest.mark.parametrize(
    ("was_served", "reason"),
    [
        (False, "never served, and 2 versions of cllmfs are newer"),
        (True, "served long ago, and 2 versions of cllmfs are newer"),
    ],
)
def test_the_reason_says_what_spoke_against_it(was_served: bool, reason: str) -> None:
    standings = [plain(1, was_served=was_served), plain(2), plain(3)]
    assert to_condemn(standings, keep=2) == {1: reason}
