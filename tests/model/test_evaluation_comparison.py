from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model.evaluation.comparison import ComparisonError, compare
from model.evaluation.measurement import Measurement, SupportSet
from model.evaluation.protocol import Watcher, run_protocol
from model.evaluation.report import Header, Report, ReportFile
from model.spans import AnnotatedText, Label, LabelSet, Span
from remembering_method import RememberingMethod, remembered

LABELS = LabelSet((Label("PER", "person"),))
NAMES = [f"N{number:02}" for number in range(40)]
TEST = tuple(AnnotatedText(f"{name} sang", (Span(0, 3, "PER"),)) for name in NAMES)


def shown(name: str) -> AnnotatedText:
    return AnnotatedText(f"so {name} sang", (Span(3, 6, "PER"),))


SETS = [SupportSet(name, (shown(name),)) for name in NAMES[:3]]


def report(
    known: list[str],
    supports: list[SupportSet] | None = None,
    seeds: tuple[int, ...] = (1,),
    **changes: Any,
) -> Report:
    measurement = replace(
        Measurement(RememberingMethod(), remembered(dict.fromkeys(known, "PER")), LABELS, TEST),
        **changes,
    )
    file = ReportFile(
        None, Header.of(measurement, base="tiny", source_adapter="none", test="test.conll")
    )
    for seed in seeds:
        run_protocol(
            measurement,
            SETS if supports is None else supports,
            seed=seed,
            watcher=Watcher(on_run=file.add),
        )
    return file.report


def test_a_better_system_is_named_and_equal_ones_are_not() -> None:
    """All 40 names known against 10 of 40 and the support's own (all within the ten).

    F1 of the first is 1; of the second 2 * 10 / (10 + 40) = 0.4 under each set: difference 0.6.
    """
    better, worse = report(NAMES), report(NAMES[:10])
    first, second = compare([("all", better), ("ten", worse), ("same", better)], draws=500)
    assert (first.f1_first, first.f1_other) == pytest.approx((1.0, 0.4))
    assert first.both.difference == pytest.approx(0.6)
    assert (first.supports, first.sentences, first.left_out) == (3, 40, 0)
    assert first.sentence == "all is better"
    assert second.sentence == "no difference shown"
    assert (second.both.difference, second.both.p, second.p_holm) == (0, 1, 1)
    (turned,) = compare([("ten", worse), ("all", better)], draws=500)
    assert turned.sentence == "all is better"
    assert turned.both.difference == pytest.approx(-0.6)


def test_holm_takes_the_whole_family() -> None:
    """Two comparisons with p = 2/501 each: the smaller is doubled, and the other is no less."""
    better, worse = report(NAMES), report(NAMES[:10])
    verdicts = compare([("a", better), ("b", worse), ("c", worse)], draws=500)
    assert [verdict.both.p for verdict in verdicts] == pytest.approx([2 / 501] * 2)
    assert [verdict.p_holm for verdict in verdicts] == pytest.approx([4 / 501] * 2)
    weak = replace(verdicts[0], p_holm=0.06)
    assert weak.both.shown
    assert weak.sentence == "no difference shown"


def test_zero_shot_is_paired_with_every_run() -> None:
    """Zero-shot knows nothing, each set its own name only: F1 0 against 2 * 1 / (1 + 40)."""
    (verdict,) = compare([("shots", report([])), ("zero", report([], []))], draws=200)
    assert (verdict.supports, verdict.left_out) == (3, 0)
    assert verdict.f1_first == pytest.approx(2 / 41)
    assert verdict.f1_other == 0.0
    (turned,) = compare([("zero", report([], [])), ("shots", report([]))], draws=200)
    assert turned.both.difference == pytest.approx(-2 / 41)


def test_runs_are_paired_by_support_set_not_by_order() -> None:
    one, two = report([]), report([], SETS[::-1])
    (verdict,) = compare([("one", one), ("two", two)], draws=200)
    assert verdict.both == replace(verdict.both, difference=0, mean=0, low=0, high=0, p=1)
    (part,) = compare([("one", one), ("part", report([], SETS[:1]))], draws=200)
    assert (part.supports, part.left_out) == (1, 2)


def test_several_seeds_of_one_set_are_paired_in_order() -> None:
    one, two = report([], SETS[:1], (1, 2)), report([], SETS[:1], (5, 9))
    (verdict,) = compare([("one", one), ("two", two)], draws=100)
    assert (verdict.supports, verdict.left_out) == (1, 0)


def test_several_seeds_of_one_set_are_one_support_set() -> None:
    """Three sets with three seeds each give the interval of the same sets with one seed each.

    A run knows the name of its own set alone: F1 is 2 * 1 / (1 + 40) = 2/41, whatever the seed.
    """
    several, zero = report([], SETS, (1, 2, 3)), report([], [])
    (verdict,) = compare([("several", several), ("zero", zero)], draws=300)
    (single,) = compare([("single", report([], SETS)), ("zero", zero)], draws=300)
    assert (verdict.supports, verdict.left_out) == (3, 0)
    assert (verdict.both.low, verdict.both.high) == pytest.approx(
        (single.both.low, single.both.high)
    )
    assert verdict.f1_first == pytest.approx(2 / 41)


def test_zero_shot_is_one_run_whatever_the_seed() -> None:
    of = Measurement(RememberingMethod(), remembered({}), LABELS, TEST)
    nothing = SupportSet(None)
    assert of.run_digest(nothing, 1) == of.run_digest(nothing, 7)
    assert of.run_digest(SETS[0], 1) != of.run_digest(SETS[0], 7)


def test_a_sentence_left_out_on_one_side_counts_on_neither() -> None:
    """The set holds the first test sentence, so zero-shot's right answer on it does not count."""
    held = SupportSet("held", (TEST[0],))
    zero, shots = report(NAMES[:1], []), report([], [held])
    (verdict,) = compare([("zero", zero), ("shots", shots)], draws=100)
    assert (verdict.f1_first, verdict.f1_other) == (0.0, 0.0)


def test_what_cannot_be_aligned_is_refused() -> None:
    plain = report([])
    for other, named in [
        (report([], test=TEST[1:]), "the scored sentences"),
        (report([], labels=LabelSet((Label("PER", "name"),))), "the labels"),
        (report([], oracle_types=True), "oracle types"),
        (report([], [SupportSet("other", (shown("N39"),))]), "no support set in common"),
    ]:
        with pytest.raises(ComparisonError, match=named):
            compare([("a", plain), ("b", other)])
    with pytest.raises(ComparisonError, match="at least two"):
        compare([("a", plain)])


def test_the_json_holds_both_versions() -> None:
    (verdict,) = compare([("a", report(NAMES)), ("b", report([]))], draws=100)
    value = verdict.to_json()
    assert value["shown"] is True
    assert value["verdict"] == "a is better"
    assert set(value["sentence_only"]) == {"difference", "mean_difference", "interval", "p"}
    assert value["interval"][0] <= value["difference"] <= value["interval"][1]
