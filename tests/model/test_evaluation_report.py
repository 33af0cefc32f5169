from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.evaluation.machine import code_version, machine
from model.evaluation.measurement import Measurement, SupportSet
from model.evaluation.protocol import Watcher, run_protocol
from model.evaluation.report import Header, Report, ReportError, ReportFile, read_report
from model.evaluation.runs import Run
from model.spans import AnnotatedText, Label, LabelSet, Span
from remembering_method import RememberingMethod, remembered

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
TEST = (
    AnnotatedText("Ann slept", (Span(0, 3, "PER"),)),
    AnnotatedText("Ben slept", (Span(0, 3, "PER"),)),
    AnnotatedText("Oslo slept", (Span(0, 4, "LOC"),)),
)
SETS = tuple(
    SupportSet(f"sets/{name}.conll", (AnnotatedText(f"{name} sang", (Span(0, 3, "PER"),)),))
    for name in ("Ann", "Ben", "Zoe")
)


def measurement(settings: dict[str, Any] | None = None, **changes: Any) -> Measurement:
    return replace(
        Measurement(RememberingMethod(settings), remembered({}), LABELS, TEST), **changes
    )


def header(of: Measurement, **protocol: int) -> Header:
    return Header.of(
        of,
        base="tiny",
        source_adapter="shipped",
        test="a/test.conll",
        protocol={"limit": 0, "seed": 1, **protocol},
        test_digest="f" * 64,
        environment=machine(),
    )


def test_mean_and_spread_over_runs(tmp_path: Path) -> None:
    """F1 of the sets: Ann and Ben one of three found, 2 * 1 / (1 + 3) = 1/2; Zoe none: 0.

    Mean 1/3. Sample variance ((1/6)^2 * 2 + (1/3)^2) / 2 = 1/12, so std = 0.288675.
    """
    of = measurement()
    file = ReportFile(tmp_path / "a.json", header(of))
    run_protocol(of, SETS, watcher=Watcher(on_run=file.add), code="v1")
    value = json.loads((tmp_path / "a.json").read_text())
    assert [run["f1"] for run in value["runs"]] == [0.5, 0.5, 0.0]
    assert value["mean"]["f1"] == pytest.approx(1 / 3, abs=1e-6)
    assert value["std"]["f1"] == 0.288675
    assert value["runs"][0]["per_text"] == [[1, 1, 1], [0, 0, 1], [0, 0, 1]]
    assert value["digests"]["supports"].keys() == {support.name for support in SETS}
    assert value["digests"]["code"] == "v1"
    assert value["protocol"] == {"limit": 0, "seed": 1, "oracle_types": False}
    assert value["labels"] == ["PER", "LOC"]
    assert set(value["mean"]) == set(value["std"]) >= {"precision", "seconds_train", "peak_rss_mb"}


def test_the_spread_of_one_run_is_zero(tmp_path: Path) -> None:
    of = measurement()
    file = ReportFile(None, header(of))
    run_protocol(of, [], watcher=Watcher(on_run=file.add))
    assert file.report.to_json()["std"]["f1"] == 0.0
    assert file.report.to_json()["runs"][0]["support"] is None
    assert list(tmp_path.iterdir()) == []


def test_every_finished_run_is_on_disk_before_the_next_one_starts(tmp_path: Path) -> None:
    """The second training fails; the first run is there, and only the rest is made again."""
    path = tmp_path / "deep" / "a.json"

    class Failing(RememberingMethod):
        def config_json(self) -> dict[str, Any]:
            if len(self.fits) == 2:
                raise OSError("no more")
            return {}

    of = measurement(method=Failing())
    file = ReportFile(path, header(of))
    with pytest.raises(OSError, match="no more"):
        run_protocol(of, SETS, watcher=Watcher(on_run=file.add))
    assert [run.support for run in read_report(path).runs] == [set_.name for set_ in SETS[:2]]
    assert [item.name for item in path.parent.iterdir()] == ["a.json"]

    of = measurement()
    again = ReportFile(path, header(of))
    run_protocol(of, SETS, finished=again.finished, watcher=Watcher(on_run=again.add))
    assert isinstance(of.method, RememberingMethod)
    assert of.method.fits == [("Zoe sang",)]
    assert [run.support for run in read_report(path).runs] == [set_.name for set_ in SETS]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    of = measurement(test=(*TEST, *SETS[0].items))  # a sentence is left out in the first run
    file = ReportFile(path, header(of), seen=[0])
    run_protocol(of, SETS, watcher=Watcher(on_run=file.add))
    assert read_report(path) == file.report
    assert file.report.runs[0].per_text[3] is None


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"settings": {"rate": 2}}, "config.rate: 2, 1"),
        ({"test": TEST[:2]}, "sentences: "),
        ({"labels": LabelSet((Label("PER", "a human"), Label("LOC", "place")))}, "digests.labels"),
        ({"start": remembered({"Ann": "PER"})}, "digests.source_adapter"),
        ({"oracle_types": True}, "protocol.oracle_types: true, false"),
    ],
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, other: dict[str, Any], named: str
) -> None:
    path = tmp_path / "a.json"
    of = measurement({"rate": 1})
    file = ReportFile(path, header(of))
    run_protocol(of, SETS[:1], watcher=Watcher(on_run=file.add))
    changed = measurement(**{"settings": {"rate": 1}, **other})
    with pytest.raises(ReportError, match=named):
        ReportFile(path, header(changed))
    assert ReportFile(path, header(changed), fresh=True).report.runs == ()
    renamed = replace(header(of), base="elsewhere", test="b.conll", environment={})
    assert ReportFile(path, renamed).report.runs == file.report.runs


def test_limit_and_seed_are_settings_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    ReportFile(path, header(measurement())).write()
    with pytest.raises(ReportError, match=r"protocol.limit: 5, 0"):
        ReportFile(path, header(measurement(), limit=5))


def test_another_number_of_threads_is_refused_where_both_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    plain = header(measurement())
    ReportFile(path, replace(plain, environment={"threads": 2})).write()
    with pytest.raises(ReportError, match=r"environment.threads: 1, 2"):
        ReportFile(path, replace(plain, environment={"threads": 1}))
    assert ReportFile(path, plain).report.runs == ()


def test_places_of_other_files_stay_until_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    of = header(measurement())
    ReportFile(path, of, seen=[0]).write()
    assert ReportFile(path, of).report.seen == frozenset({0})
    assert ReportFile(path, of, seen=[1]).report.seen == frozenset({1})
    assert ReportFile(path, of, fresh=True).report.seen is None


def test_sentences_of_other_files_can_be_left_out_afterwards() -> None:
    """Ann is found: with her 2 * 1 / (1 + 3) = 1/2, without her 0 of 2."""
    of = measurement()
    file = ReportFile(None, header(of), seen=[0])
    run_protocol(of, SETS[:1], watcher=Watcher(on_run=file.add))
    value = file.report.to_json()
    assert (value["runs"][0]["f1"], value["runs"][0]["f1_unseen"]) == (0.5, 0.0)
    assert value["mean"]["f1_unseen"] == 0.0
    assert value["seen"] == [0]
    assert file.report.runs[0].f1_without([1]) == pytest.approx(2 / 3, abs=1e-6)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"runs": []}', "\udcff"])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ReportError, match="holds no measurement"):
        read_report(path)
    with pytest.raises(ReportError):
        ReportFile(path, header(measurement()))
    with pytest.raises(ReportError):
        read_report(tmp_path / "missing.json")


def test_a_run_lacking_a_figure_is_refused(tmp_path: Path) -> None:
    of = measurement()
    (run,) = run_protocol(of, [])
    value = Report(header(of), (run,)).to_json()
    del value["runs"][0]["f1"]
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(ReportError):
        read_report(tmp_path / "a.json")
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run


def test_the_machine_is_described() -> None:
    assert code_version()
    assert machine()["cores"] >= 1
