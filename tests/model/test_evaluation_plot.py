from __future__ import annotations

from dataclasses import replace

import pytest
from defusedxml import ElementTree

from model.evaluation.measurement import Measurement, SupportSet
from model.evaluation.plot import f1_plot
from model.evaluation.protocol import run_protocol
from model.evaluation.report import Header, Report
from model.spans import AnnotatedText, Label, LabelSet, Span
from remembering_method import RememberingMethod, remembered


@pytest.fixture
def report() -> Report:
    test = (AnnotatedText("Ann", (Span(0, 3, "PER"),)), AnnotatedText("Ben"))
    measurement = Measurement(RememberingMethod(), remembered({}), LabelSet((Label("PER"),)), test)
    sets = [SupportSet("s", (AnnotatedText("Ann sang", (Span(0, 3, "PER"),)),))]
    header = Header.of(measurement, base="tiny", source_adapter="none", test="test.conll")
    return Report(header, tuple(run_protocol(measurement, sets)))


def test_both_pictures_name_the_reports_and_are_the_same_each_time(report: Report) -> None:
    two = replace(report, runs=(report.runs[0], replace(report.runs[0], f1=0.5)))
    pictures = f1_plot([("one run", report), ("two runs", two)], title="A title")
    assert pictures["png"].startswith(b"\x89PNG")
    words = {node.text for node in ElementTree.fromstring(pictures["svg"]).iter() if node.text}
    assert {"one run", "two runs", "A title", "strict F1 (%)"} <= words
    assert b"date" not in pictures["svg"]
    assert f1_plot([("one run", report), ("two runs", two)], title="A title") == pictures
    assert f1_plot([("one run", report)]) != pictures


def test_nothing_to_draw_is_refused(report: Report) -> None:
    for reports in ([], [("empty", replace(report, runs=()))]):
        with pytest.raises(ValueError, match="at least one run"):
            f1_plot(reports)
