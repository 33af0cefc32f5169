from __future__ import annotations

import numpy as np
import pytest

from backend.studies.gate_documents import DrawnDocuments, pair
from backend.studies.gate_page import at_least
from backend.studies.gate_trials import FIRST_LOOK, drawn_cell
from model.evaluation.paired import Difference, PairedCounts
from model.loop import gate
from model.loop.gate import Judgement, indicative, judge, needed_documents, points
from model.loop.looks import Look

Row = tuple[int, int, int]
RIGHT, SILENT = (1, 1, 1), (0, 0, 1)


def counts(first: dict[str, list[Row]], second: dict[str, list[Row]]) -> PairedCounts:
    sides = (np.array([side[label] for label in first], dtype=float) for side in (first, second))
    return PairedCounts(tuple(first), *sides)


def verdict(first: list[Row], second: list[Row], look: Look = FIRST_LOOK) -> Judgement:
    return judge(counts({"PER": first}, {"PER": second}), look, seed=1)


def test_always_better_is_promoted() -> None:
    """25 documents, right everywhere against nowhere: every draw differs by 1."""
    found = verdict([RIGHT] * 25, [SILENT] * 25)
    assert (found.verdict, found.delta, found.low, found.high) == ("PROMOTE", 1, 1, 1)
    assert (found.candidate_f1, found.served_f1, found.documents) == (1, 0, 25)
    assert found.reason == (
        "+100.0 points (+100.0 to +100.0) on 25 held-out texts: better than what is served."
    )
    assert found.needed is None
    assert found.no_harm


def test_always_worse_is_rejected() -> None:
    found = verdict([SILENT] * 25, [RIGHT] * 25)
    assert (found.verdict, found.high, found.needed, found.no_harm) == ("REJECT", -1, None, False)
    assert "\N{MINUS SIGN}100.0 points" in found.reason
    assert found.reason.endswith("worse than what is served.")


def test_equal_is_held_and_does_no_harm() -> None:
    same = [RIGHT, SILENT] * 20
    found = verdict(same, same)
    assert (found.verdict, found.delta, found.low, found.high) == ("HOLD", 0, 0, 0)
    assert found.no_harm
    assert found.needed == 60
    assert "both versions are equally right; about 60 would show a gain of one point" in (
        found.reason
    )


def test_a_lower_bound_of_nearly_zero_is_not_enough() -> None:
    """One of 40 texts is better, none worse: the lower bound is 0, and 0 is not above 0."""
    found = verdict([RIGHT] * 40, [RIGHT] * 39 + [SILENT])
    assert (found.verdict, found.low) == ("HOLD", 0)
    assert found.delta is not None
    assert found.delta > 0
    assert found.no_harm
    assert "would decide. A loss of more than half a point is unlikely." in found.reason


def test_an_uncertain_gain_may_be_a_loss() -> None:
    """11 texts better, 9 worse of 40: F1 2*31/71 against 2*29/69, surely unsure."""
    first = [RIGHT] * 11 + [SILENT] * 9 + [RIGHT] * 20
    second = [SILENT] * 11 + [RIGHT] * 9 + [RIGHT] * 20
    found = verdict(first, second)
    assert (found.verdict, found.no_harm) == ("HOLD", False)
    assert found.low is not None
    assert found.low < -gate.HARM
    assert "not certain yet; about" in found.reason


def test_the_last_look_says_so() -> None:
    same = [RIGHT, SILENT] * 20
    found = verdict(same, same, Look(2, 0.025, None))
    assert "This was the last look at this version: a person decides" in found.reason


def test_below_the_floor_there_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="25 documents, but there are 24"):
        verdict([RIGHT] * 24, [SILENT] * 24)


def guarded(fallen: int, spans: int) -> Judgement:
    """60 texts: LOC much better everywhere; of the PER spans ``fallen`` are found no more."""
    nothing = (0, 0, 0)
    person = [RIGHT] * spans + [nothing] * (60 - spans)
    worse = [SILENT] * fallen + [RIGHT] * (spans - fallen) + [nothing] * (60 - spans)
    return judge(
        counts({"LOC": [RIGHT] * 60, "PER": worse}, {"LOC": [SILENT] * 60, "PER": person}),
        FIRST_LOOK,
        seed=1,
    )


def test_a_label_must_not_pay_for_the_others() -> None:
    found = guarded(12, 30)
    assert found.verdict == "REJECT"
    assert ", but PER falls by 25.0 points (" in found.reason  # F1 36/48 = 0.75 against 1
    assert "on 30 spans)." in found.reason
    place, person = found.label_scores
    assert (place.guarded, place.fell, person.guarded, person.fell) == (True, False, True, True)


def test_the_guard_needs_twenty_spans_and_five_points() -> None:
    assert guarded(12, 19).verdict == "PROMOTE"
    assert guarded(12, 20).verdict == "REJECT"
    assert guarded(1, 30).verdict == "PROMOTE"  # 2*29/59 = 0.983: a fall of 1.7 points
    assert not guarded(12, 19).label_scores[1].guarded


def test_guards_share_one_level() -> None:
    """The more labels are watched, the wider the interval of each."""
    side = [RIGHT, SILENT] * 30
    turned = [SILENT, RIGHT] * 30
    one = judge(counts({"A": side}, {"A": turned}), FIRST_LOOK, seed=1)
    names = [f"L{number}" for number in range(10)]
    many = judge(
        counts(dict.fromkeys(names, side), dict.fromkeys(names, turned)), FIRST_LOOK, seed=1
    )
    assert one.label_scores[0].low == one.low
    assert many.label_scores[0].low < one.label_scores[0].low


def test_needed_documents_by_hand() -> None:
    """z = 1.96 at 5 %. 50 * (2.8 * 0.03 / 0.04)^2 = 220.5, two digits up: 230.

    Below one point a gain of one point is asked for: 50 * (2.8 * 0.03 / 0.01)^2 = 3528: 3600. A
    gain that would be found already asks for half as many again: 75.
    """

    def needed(delta: float, error: float) -> int:
        return needed_documents(Difference(9, 0.7, 0.7, delta, 0, 0, error), 50, 0.05)

    assert needed(0.04, 0.03) == 230
    assert needed(-0.02, 0.03) == needed(0.002, 0.03) == 3600
    assert needed(0.04, 0.0001) == 75


def test_needed_documents_use_the_level_of_the_next_look() -> None:
    first = [RIGHT] * 11 + [SILENT] * 9 + [RIGHT] * 20
    second = [SILENT] * 11 + [RIGHT] * 9 + [RIGHT] * 20
    wide = verdict(first, second, Look(1, 0.025, 0.025)).needed
    later = verdict(first, second, Look(1, 0.025, 0.001)).needed
    assert wide is not None
    assert later is not None
    assert later > wide


def test_without_a_look_figures_have_no_interval() -> None:
    found = indicative(
        counts({"PER": [RIGHT] * 10}, {"PER": [SILENT] * 10}), "10 of the 25.", needed=25
    )
    assert (found.verdict, found.reason, found.needed) == ("HOLD", "10 of the 25.", 25)
    assert (found.delta, found.low, found.high, found.look.number) == (1, None, None, 0)
    assert indicative(None, "none", 25).documents == 0


def test_the_same_seed_gives_the_same_verdict() -> None:
    documents = DrawnDocuments(50, np.random.default_rng(1))
    there = pair((documents.answers(0.75), documents.answers(0.7)), 50)
    assert judge(there, FIRST_LOOK, seed=4) == judge(there, FIRST_LOOK, seed=4)
    assert judge(there, FIRST_LOOK, seed=4).low != judge(there, FIRST_LOOK, seed=5).low


def test_points_have_a_true_minus() -> None:
    assert (points(0.031), points(-0.004), points(0.0)) == ("+3.1", "\N{MINUS SIGN}0.4", "+0.0")


def test_g1_equally_good_versions_are_rarely_promoted() -> None:
    """200 gates at 50 documents; if one in twenty were promoted, 18 or more happen in 1.5 %.

    And a gate that never promotes is no gate: truly 20 points better is found.
    """
    equal = drawn_cell(50, 0.0, 200, seed=1)
    assert equal.gates == 200
    assert at_least(18, 200, 0.05) < 0.02
    assert equal.verdicts["PROMOTE"] < 18
    assert equal.verdicts["HOLD"] > 150
    better = drawn_cell(50, 0.2, 20, seed=1)
    assert better.verdicts["PROMOTE"] >= 18
