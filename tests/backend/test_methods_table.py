"""The comparison of methods: its columns, its figures and its page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli.bench_commands import app
from backend.studies import methods_table
from backend.studies.arms import Arm
from backend.studies.averages import averages, without_sentences
from backend.studies.methods_page import methods_page_text
from backend.studies.methods_results import methods_results
from backend.studies.methods_table import COLUMNS, TABLE, TRAINED, ZERO_SHOT, Column
from backend.studies.running import missing_runs
from backend.studies.sources import MissingSourceError, missing_sources, require_sources
from backend.studies.study import Setting, Study, StudyError
from backend.studies.taking import TakenFileError, take
from backend.studies.tasks import Task
from model.data.episode_sampling import EpisodeShape
from model.evaluation.report import Header, Report, read_report
from model.evaluation.runs import Run, TextCounts
from study_corpus import FULL, TASK, ZERO, run, study_of, write_sources
from tiny_encoder import write_tiny_encoder

NNSHOT = Arm("nnshot", method="nnshot")
TAGGER = Arm("tagger", {"epochs": 1, "min_steps": 1, "max_steps": 1}, method="tagger")
EPISODES = Task(
    "episodes",
    "corpus/test.conll",
    sentences=0,
    supports=3,
    timed=True,
    episodes=EpisodeShape(2, 1, 1, 1),
)


def test_every_cell_has_its_settings() -> None:
    setting = Setting(Path(), Path())
    assert len(TABLE.cells()) == 12 * len(TRAINED) + 8 * len(ZERO_SHOT)
    for _, arm in TABLE.cells():
        assert setting.config(arm)
    nested = [arm for task, arm in TABLE.cells() if task.overlaps]
    told = {arm.name for arm in nested if {"nested", "overlaps"} & set(arm.settings)}
    assert {name.split(",")[0] for name in told} == {
        "cllmfs",
        "label_aware",
        "label_aware (faithful)",
    }


def test_quick_and_full_protocol_never_share_a_column() -> None:
    assert len({column.task.name for column in COLUMNS}) == len(COLUMNS)
    for column in COLUMNS:
        task = column.task
        size = (task.sentences, task.supports)
        assert size == {"full": (0, 10), "quick": (300, 3), "episodes": (0, 200)}[column.protocol]
        assert column.protocol != "full" or task.test in ("wnut17/test.conll", "gum/test.conll")
        # trainings are timed, so none is taken from a study
        assert task.timed
        assert column.zero_shot == (not task.support and not task.draw and not task.episodes)
    for task, arm in TABLE.cells():
        assert arm.trained == (not next(c for c in COLUMNS if c.task == task).zero_shot)


def test_missing_adapters_are_named_with_their_commands(setting: Setting, tmp_path: Path) -> None:
    arms = [NNSHOT, Arm("a", method="nnshot", start="intra-like"), TAGGER, FULL, NNSHOT]
    plain = Setting(Path(), Path(), sources=Path("s"), adapter="none")
    assert missing_sources(arms, plain) == [
        "nerloop base train --method nnshot --out s/nnshot",
        "nerloop base train --method nnshot --out s/nnshot-intra-like --split intra-like",
    ]
    write_tiny_encoder(tmp_path / "encoder")
    own = f"--base {setting.encoder} --home {tmp_path}"
    with pytest.raises(MissingSourceError, match="--method nnshot") as refused:
        require_sources([NNSHOT], setting)
    assert str(refused.value).endswith(f"--out {tmp_path}/sources/nnshot {own}")
    write_sources(setting, NNSHOT)
    require_sources([NNSHOT], setting)


def test_systems_are_measured_and_told_as_missing_until_then(
    setting: Setting, tmp_path: Path
) -> None:
    write_tiny_encoder(tmp_path / "encoder")
    write_sources(setting, NNSHOT)
    columns = (Column(TASK, "quick", "places", 1), Column(EPISODES, "episodes", "episodes", 1))
    study = study_of(TAGGER, NNSHOT, tasks=(TASK, EPISODES))
    nothing = methods_page_text(methods_results(study, columns, setting, draws=100))
    assert "**Nothing has been measured yet.**" in nothing
    assert "| nnshot | not measured yet |" in nothing
    run(study, setting)
    assert run(study, setting).count("  measured before") == 4
    results = methods_results(study, columns, setting, draws=100)
    places, episodes = results["columns"]
    assert [row["runs"] for row in places["rows"]] == [3, 3]
    assert [row["runs"] for row in episodes["rows"]] == [3, 3]
    assert episodes["rows"][0]["std"] is None
    low, high = episodes["rows"][0]["interval"]
    assert low <= episodes["rows"][0]["f1"] <= high
    report = read_report(setting.report_path(EPISODES, NNSHOT))
    assert report.header.protocol["ways"] == 2
    assert [own.support for own in report.runs] == [f"inter/2way-1shot/{n}" for n in range(3)]
    fewer = replace(setting, supports=2)
    with pytest.raises(StudyError, match="another choice of sentences"):
        methods_results(study, columns, fewer, draws=100)
    page = methods_page_text(results)
    assert "## Episodes" in page
    assert "### places" in page


def test_a_changed_adapter_of_a_source_stage_is_noticed(setting: Setting, tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "encoder")
    write_sources(setting, NNSHOT)
    study, columns = study_of(NNSHOT), (Column(TASK, "quick", "t", 1),)
    run(study, replace(setting, supports=1))
    path = setting.sources / "nnshot" / "nerloop.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": 9}))
    with pytest.raises(StudyError, match="another base adapter"):
        methods_results(study, columns, setting, draws=100)


def test_changed_heads_of_an_adapter_are_noticed(setting: Setting, tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "encoder")
    folder = tmp_path / "own"
    own = replace(setting, encoder_adapter=str(folder), supports=1, limit=2)
    arm = Arm("zero", method="label_aware", trained=False)
    write_sources(own, arm)
    run(study_of(arm), own)
    assert missing_runs(own, TASK, arm) == 0
    heads = folder / "heads.safetensors"
    heads.write_bytes(heads.read_bytes() + b" ")
    assert missing_runs(own, TASK, arm) == 1


def test_a_measurement_made_before_is_taken_if_it_is_the_same(
    setting: Setting, tmp_path: Path
) -> None:
    study = study_of(FULL, ZERO)
    run(study, setting)
    other = replace(setting, out=tmp_path / "new")
    path = setting.report_path(TASK, FULL)
    assert take(path, study.cells(), other) == other.report_path(TASK, FULL)
    zero = take(setting.report_path(TASK, ZERO), study.cells(), other)
    assert zero == other.report_path(TASK, ZERO)
    assert run(study, other).count("  measured before") == 2
    assert take(path, study.cells(), other).read_bytes() == path.read_bytes()
    with pytest.raises(TakenFileError, match="threads"):
        take(path, study.cells(), replace(other, threads=2))
    with pytest.raises(TakenFileError, match="no task scores this file"):
        take(path, study_of(TAGGER).cells(), other)
    other.report_path(TASK, FULL).write_text("{}")
    with pytest.raises(TakenFileError, match="--fresh"):
        take(path, study.cells(), other)
    take(path, study.cells(), other, fresh=True)


def report(*found: int, gold: int = 20, ways: int = 0) -> Report:
    """Sentences with one name each; of each run so many are found, from the first on."""
    runs = []
    for number, own in enumerate(found):
        counts: tuple[TextCounts, ...] = tuple(
            (int(place < own), int(place < own), 1) for place in range(gold)
        )
        f1 = 2 * own / (own + gold)
        name = f"s/{number}"
        runs.append(Run(name, name, 1, gold, 0, 0, f1, 0, 0, 0, {}, 2, 1, 9, 1, "", counts, name))
    protocol: dict[str, Any] = {"oracle_types": False, **({"ways": ways} if ways else {})}
    digests = {"labels": "l", "base": "b", "source_adapter": "a"}
    machine = {"processor": "p", "python": "3", "torch": "2", "threads": 1}
    header = Header("m", "b", "a", "t", ("PER",), protocol, {}, "s", digests, machine)
    return Report(header, tuple(runs))


def test_left_out_sentences_do_not_count() -> None:
    """Three of four found: F1 2 * 3 / (3 + 4) = 6/7; without the first 2 * 2 / (2 + 3) = 4/5."""
    whole = report(3, gold=4)
    own = without_sentences(whole, {0}).runs[0]
    assert (own.f1, own.precision) == (0.8, 1.0)
    assert own.recall == pytest.approx(2 / 3, abs=1e-6)
    assert (own.texts, own.per_text[0]) == (3, None)
    assert without_sentences(whole, set()).runs[0].f1 == pytest.approx(6 / 7, abs=1e-6)


def test_episodes_are_averaged_over_their_queries() -> None:
    """Two episodes with 4 of 4 and 0 of 4: micro F1 2 * 4 / (4 + 8) = 2/3, the mean is 1/2."""
    mean, deviation = averages(report(4, 0, gold=4, ways=5))
    assert mean["f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert deviation is None
    mean, deviation = averages(report(4, 0, gold=4))
    # sqrt((1/2)^2 + (1/2)^2) = 0.7071
    assert mean["f1"] == 0.5
    assert deviation == pytest.approx(0.707107)


def results_of(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, **measured: Report
) -> dict[str, Any]:
    arms = [Arm(name, method="label_aware") for name in measured]
    known = {(TASK.name, name): own for name, own in measured.items()}
    monkeypatch.setattr(
        "backend.studies.methods_results.read_reports", lambda _study, _setting: known
    )
    study = Study("s", "S", "?", (TASK,), tuple(arms))
    columns = (Column(TASK, "quick", "names", 5),)
    return methods_results(study, columns, setting, draws=500)


def test_the_best_is_bold_only_where_it_is_shown_above_the_second(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear = results_of(
        setting,
        monkeypatch,
        label_aware=report(18, 19, 18),
        nnshot=report(4, 5, 4),
        protobert=report(18, 19, 20),
        proml=report(2, 2, 2),
    )
    (column,) = clear["columns"]
    assert (column["best"], column["shown"]) == ("protobert", False)
    assert [row["system"] for row in column["against_best"]] == ["label_aware", "nnshot", "proml"]
    assert column["label_aware"]["above"] == ["nnshot", "proml"]
    page = methods_page_text(clear)
    assert "**95" not in page
    assert "| names | 2 of 3 | nnshot, proml | none |" in page
    assert "above all of them that have been measured in 0 of 1 columns" in page
    shown = results_of(setting, monkeypatch, label_aware=report(18, 19, 18), nnshot=report(4, 5, 4))
    (column,) = shown["columns"]
    assert (column["best"], column["shown"]) == ("label_aware", True)
    mean = 100 * (2 * (2 * 18 / 38) + 2 * 19 / 39) / 3
    assert f"| label_aware | **{mean:.1f} ± " in methods_page_text(shown)
    assert "in 1 of 1 columns" in methods_page_text(shown)


def test_systems_that_are_not_complete_are_shown_but_not_compared(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    partly = results_of(setting, monkeypatch, label_aware=report(18, 19), nnshot=report(4, 5, 4))
    (column,) = partly["columns"]
    assert (column["best"], column["against_best"]) == ("nnshot", [])
    assert "(2 of 3 runs)" in methods_page_text(partly)


def test_the_command_plans_measures_takes_and_writes(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_encoder(tmp_path / "encoder")
    task = replace(TASK, name="col", supports=1)
    monkeypatch.setattr(methods_table, "TABLE", study_of(TAGGER, NNSHOT, tasks=(task,)))
    monkeypatch.setattr(methods_table, "COLUMNS", (Column(task, "quick", "a column", 1),))
    options = [
        *("--out", str(setting.out), "--data", str(setting.data), "--encoder", setting.encoder),
        *("--sources", str(setting.sources), "--home", str(tmp_path), "--base", setting.base),
    ]

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["methods", *options, *arguments])

    planned = call("--plan")
    assert planned.exit_code == 0, planned.output + repr(planned.exception)
    assert "2 runs to make" in planned.output
    assert "missing: nerloop base train --method nnshot" in planned.output
    assert not setting.out.exists()
    assert isinstance(call("--together").exception, MissingSourceError)
    measured = call("--only", "tagger", "--column", "col", "--together")
    assert "[1 of 1] col, tagger" in measured.output
    written = call("--page", str(tmp_path / "pages"), "--draws", "100")
    assert written.exit_code == 0, written.output + repr(written.exception)
    page = (tmp_path / "pages" / "methods.md").read_text()
    assert "| nnshot | not measured yet |" in page
    assert "What is missing takes about" in page
    kept = setting.out / "col" / f"{TAGGER.slug}.json"
    kept.rename(tmp_path / "before.json")
    taken = call("--take", str(tmp_path / "before.json"))
    assert f"is taken as {kept}" in taken.output
    assert isinstance(call("--only", "nobody").exception, StudyError)
