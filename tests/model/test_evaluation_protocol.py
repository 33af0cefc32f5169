from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model.evaluation.measurement import Measurement, ProtocolError, SupportSet, chosen
from model.evaluation.protocol import Watcher, run_protocol
from model.method import Progress
from model.spans import AnnotatedText, Label, LabelSet, Span
from remembering_method import RememberingMethod, remembered

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
TEST = (
    AnnotatedText("Ann met Ben", (Span(0, 3, "PER"), Span(8, 11, "PER"))),
    AnnotatedText("Oslo is cold", (Span(0, 4, "LOC"),)),
    AnnotatedText("nothing here"),
    AnnotatedText("Ann met Ben", (Span(0, 3, "PER"), Span(8, 11, "PER"))),
)
ANN = SupportSet("ann", (AnnotatedText("Ann slept", (Span(0, 3, "PER"),)),))
OSLO = SupportSet("oslo", (TEST[1], AnnotatedText("nothing", (Span(0, 7, "LOC"),))))


def measured(start: dict[str, str] | None = None, **changes: Any) -> Measurement:
    plain = Measurement(RememberingMethod(), remembered(start or {}), LABELS, TEST)
    return replace(plain, **changes)


def test_zero_shot_is_one_run_of_the_start_adapter() -> None:
    """Known: "met" as PER. Four sentences, two of them hold it; nothing is right.

    precision 0 / 2, recall 0 / 5; "met" is predicted for PER, which both sentences do have in gold.
    """
    (run,) = run_protocol(measured({"met": "PER"}), [])
    assert (run.support, run.support_digest, run.support_texts) == (None, None, 0)
    assert run.per_text == ((0, 1, 2), (0, 0, 1), (0, 0, 0), (0, 1, 2))
    assert (run.f1, run.false_nonempty, run.seconds_train) == (0.0, 0, 0.0)
    assert run.texts == 4
    assert run.peak_rss_mb > 1


def test_a_support_set_trains_and_every_figure_follows() -> None:
    """Known after the fit: "Ann" as PER, and from the start "cold" as PER.

    Correct 2 (Ann twice), predicted 3, gold 5: P = 2/3, R = 2/5, F1 = 4/8. The sentence about Oslo
    has no PER in gold, so "cold" is one false non-empty answer. PER: predicted 3, gold 4.
    """
    steps: list[Progress] = []
    counted: list[tuple[int, int]] = []
    (run,) = run_protocol(
        measured({"cold": "PER"}),
        [ANN],
        seed=7,
        code="v1",
        watcher=Watcher(
            on_step=lambda _, step: steps.append(step),
            on_texts=lambda _, done, total: counted.append((done, total)),
        ),
    )
    assert run.precision == pytest.approx(2 / 3, abs=1e-6)
    assert (run.recall, run.f1, run.false_nonempty) == (0.4, 0.5, 1)
    assert run.per_label["PER"] == {
        "precision": pytest.approx(2 / 3, abs=1e-6),
        "recall": 0.5,
        "f1": pytest.approx(4 / 7, abs=1e-6),
        "gold": 4,
        "predicted": 3,
    }
    assert run.per_label["LOC"]["gold"] == 1
    assert (run.seed, run.code, run.train_report) == (7, "v1", {"steps": 1})
    assert [step.step for step in steps] == [1]
    assert counted == [(4, 4)]


def test_type_blind_counts_boundaries_alone() -> None:
    (run,) = run_protocol(measured({"Ann": "LOC", "Ben": "PER", "Oslo": "LOC"}), [])
    assert run.type_blind_f1 == 1.0
    assert run.f1 == pytest.approx(2 * 3 / 10)


def test_sentences_of_the_support_are_left_out_and_keep_their_place() -> None:
    measurement = measured()
    (run,) = run_protocol(measurement, [OSLO])
    assert run.per_text == ((0, 0, 2), None, (0, 1, 0), (0, 0, 2))
    assert (run.texts, run.support_texts) == (3, 2)
    assert isinstance(measurement.method, RememberingMethod)
    assert all("Oslo is cold" not in texts for texts, _ in measurement.method.asked)
    with pytest.raises(ProtocolError, match="oslo holds every sentence of the test"):
        run_protocol(replace(measurement, test=TEST[1:2]), [OSLO])


def test_repeated_sentences_count_as_often_as_they_occur() -> None:
    (run,) = run_protocol(measured({"Ann": "PER", "Ben": "PER"}), [])
    assert run.per_text[0] == run.per_text[3] == (2, 2, 2)
    assert run.recall == pytest.approx(4 / 5)


def test_oracle_types_ask_for_the_gold_labels_only() -> None:
    measurement = measured({"Oslo": "LOC", "met": "LOC", "nothing": "PER"}, oracle_types=True)
    (run,) = run_protocol(measurement, [])
    assert run.per_text == ((0, 0, 2), (1, 1, 1), (0, 0, 0), (0, 0, 2))
    assert run.false_nonempty == 0
    assert isinstance(measurement.method, RememberingMethod)
    assert measurement.method.asked == [
        (("Ann met Ben", "Ann met Ben"), ("PER",)),
        (("Oslo is cold",), ("LOC",)),
    ]


@pytest.mark.parametrize("chunk", [1, 2, 3, 64])
def test_the_size_of_a_chunk_changes_nothing(chunk: int) -> None:
    known = {"Ann": "PER", "cold": "LOC"}
    (whole,) = run_protocol(measured(known), [])
    (parts,) = run_protocol(measured(known), [], chunk=chunk)
    assert parts.per_text == whole.per_text
    assert parts.settings_digest == whole.settings_digest


def test_finished_runs_are_skipped_and_each_run_is_told_before_the_next() -> None:
    told: list[str | None] = []
    skipped: list[str | None] = []
    watcher = Watcher(
        on_run=lambda run: told.append(run.support),
        on_skip=lambda support: skipped.append(support.name),
    )
    measurement = measured()
    first = run_protocol(measurement, [ANN], watcher=watcher)
    assert isinstance(measurement.method, RememberingMethod)
    again = run_protocol(
        measurement, [ANN, OSLO], finished={first[0].settings_digest}, watcher=watcher
    )
    assert (told, skipped) == (["ann", "oslo"], ["ann"])
    assert [run.support for run in again] == ["oslo"]
    assert len(measurement.method.fits) == 2
    assert measurement.method.loaded == {}  # nothing stays loaded


def test_the_same_support_set_under_two_names_is_one_run() -> None:
    runs = run_protocol(measured(), [ANN, replace(ANN, name="again"), OSLO])
    assert [run.support for run in runs] == ["ann", "oslo"]


def test_the_digest_of_a_run_follows_whatever_determines_it() -> None:
    plain = measured()
    other_gold = (replace(TEST[0], spans=()), *TEST[1:])
    described = LabelSet((Label("PER", "person", "a human"), Label("LOC", "place")))
    digests = {
        plain.run_digest(ANN, 1),
        plain.run_digest(ANN, 2),
        plain.run_digest(OSLO, 1),
        plain.run_digest(SupportSet(None), 1),
        measured(method=RememberingMethod({"rate": 1})).run_digest(ANN, 1),
        measured({"x": "PER"}).run_digest(ANN, 1),
        measured(labels=described).run_digest(ANN, 1),
        measured(test=other_gold).run_digest(ANN, 1),
        measured(oracle_types=True).run_digest(ANN, 1),
    }
    assert len(digests) == 9
    assert measured().run_digest(replace(ANN, name="elsewhere"), 1) == plain.run_digest(ANN, 1)


def test_what_cannot_be_measured_is_refused_before_any_training() -> None:
    unknown = SupportSet("u", (AnnotatedText("Mars", (Span(0, 4, "PLANET"),)),))
    empty = SupportSet("e", (AnnotatedText("nothing"),))
    for supports, sentence in [
        ([ANN, unknown], "support set u has spans of PLANET.*asked are LOC, PER"),
        ([ANN, empty], "support set e holds no span"),
        ([ANN, SupportSet("void")], "support set void holds no span"),
    ]:
        measurement = measured()
        with pytest.raises(ProtocolError, match=sentence):
            run_protocol(measurement, supports)
        assert isinstance(measurement.method, RememberingMethod)
        assert measurement.method.fits == []
    with pytest.raises(ProtocolError, match="test holds no sentence"):
        run_protocol(measured(test=()), [])
    with pytest.raises(ProtocolError, match="test has spans of LOC"):
        run_protocol(measured(labels=LabelSet((Label("PER"),))), [])


def test_the_same_limit_and_seed_choose_the_same_sentences() -> None:
    """The numbers of seed 1 begin 0.134 0.847 0.764 0.255 0.495 0.449 0.652 0.789 0.094 0.028:
    the lowest three are at places 9, 8 and 0."""
    assert chosen(10, 3, 1) == [0, 8, 9]
    assert set(chosen(10, 3, 1)) < set(chosen(10, 5, 1))
    assert chosen(10, 3, 2) != [0, 8, 9]
    assert chosen(4, 0, 1) == chosen(4, 9, 1) == [0, 1, 2, 3]
