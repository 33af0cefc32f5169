"""Micro scores over episodes, and comparisons that draw whole episodes."""

from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.bootstrap import f1_interval
from model.evaluation.comparison import compare
from model.evaluation.episodes import by_episode, episode_figures
from model.evaluation.report import Header, Report
from model.evaluation.runs import Run, TextCounts


def run(name: str, *counts: TextCounts, io: TextCounts | None = (1, 2, 2), seed: int = 1) -> Run:
    return Run(
        support=name,
        support_digest=name,
        support_texts=1,
        texts=len(counts),
        precision=0.0,
        recall=0.0,
        f1=0.0,
        io_f1=0.0,
        type_blind_f1=0.0,
        false_nonempty=0,
        per_label={},
        seconds_train=0.0,
        seconds_predict=0.0,
        peak_rss_mb=0.0,
        seed=seed,
        adapter_digest="",
        per_text=counts,
        settings_digest=name,
        io_counts=io,
    )


def report(*runs: Run) -> Report:
    protocol = {"ways": 2, "oracle_types": False}
    header = Header("m", "b", "a", "t", ("A",), protocol, {}, "s", {"labels": "l"})
    return Report(header, runs)


def test_micro_scores_sum_before_they_divide() -> None:
    """Episode 1 has (1, 1, 1) and (0, 1, 1), episode 2 has (2, 2, 4).

    correct 3, predicted 4, gold 6: P = 0.75, R = 0.5, F1 = 6 / 10 = 0.6, whereas the mean over
    episodes would be (1 / 2 + 4 / 6) / 2 = 0.583. IO: 2 of 4 predicted and 4 gold, F1 = 0.5.
    """
    runs = [run("1", (1, 1, 1), (0, 1, 1)), run("2", (2, 2, 4))]
    found = episode_figures(runs)
    assert (found["precision"], found["recall"], found["f1"]) == (0.75, 0.5, 0.6)
    assert (found["episodes"], found["io_f1"]) == (2, 0.5)
    # whole episodes are drawn: both times the first, 2 / 4, or both times the second, 4 / 6
    assert found["interval"] == [0.5, pytest.approx(2 / 3, abs=1e-6)]
    twice = episode_figures([*runs, run("1", (1, 1, 1), (0, 1, 1), seed=2)])
    assert (twice["episodes"], twice["f1"]) == (2, pytest.approx(8 / 14, abs=1e-6))
    assert episode_figures([*runs, run("3", (0, 0, 1), io=None)])["io_f1"] is None
    assert episode_figures([]) == {}


def test_the_interval_of_equal_units_is_a_point() -> None:
    assert f1_interval(np.array([[1.0, 1.0, 2.0]] * 5), draws=50) == pytest.approx((2 / 3, 2 / 3))
    with pytest.raises(ValueError, match="at least one"):
        f1_interval(np.zeros((0, 3)))


def test_reports_of_episodes_carry_them() -> None:
    value = report(run("1", (1, 1, 1))).to_json()
    assert value["micro"]["f1"] == 1.0
    assert value["runs"][0]["io_counts"] == (1, 2, 2)
    assert Run.from_json(value["runs"][0]) == run("1", (1, 1, 1))
    older = {name: item for name, item in value["runs"][0].items() if name != "io_counts"}
    assert Run.from_json(older).io_counts is None


def test_seeds_of_one_episode_are_added_up() -> None:
    pairs = [
        (run("1", (1, 1, 1), (0, 0, 1)), run("1", (0, 1, 1), (0, 0, 1))),
        (run("1", (1, 2, 1), (0, 0, 1)), run("1", (1, 1, 1), (0, 0, 1))),
        (run("2", (1, 1, 1)), run("2", (0, 0, 1))),
    ]
    own, its = by_episode(pairs, [0, 0, 1])
    assert own.tolist() == [[[2, 3, 4], [1, 1, 1]]]
    assert its.tolist() == [[[1, 2, 4], [0, 0, 1]]]


def test_episodes_of_different_lengths_are_compared_by_whole_episodes() -> None:
    """A: 3 of 3 predicted and 4 gold, F1 = 6 / 7; B: 1 of 2 and 4 gold, F1 = 2 / 6.

    Only the second episode differs, so a draw of the first one alone shows no difference: the
    interval begins at 0. A third report without that episode is compared on the rest.
    """
    first = report(run("1", (1, 1, 1)), run("2", (1, 1, 1), (1, 1, 2)))
    second = report(run("1", (1, 1, 1)), run("2", (0, 1, 1), (0, 0, 2)))
    part = report(run("1", (0, 1, 1)))
    worse, rest = compare([("a", first), ("b", second), ("c", part)], draws=200)
    assert worse.f1_first == pytest.approx(6 / 7)
    assert worse.f1_other == pytest.approx(1 / 3)
    assert (worse.supports, worse.sentences) == (2, 3)
    assert worse.both.low == 0.0
    assert (rest.f1_first, rest.f1_other, rest.left_out) == (1.0, 0.0, 1)
