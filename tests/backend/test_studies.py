from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli.bench_commands import app
from backend.cli.bench_study import UnknownStudyError
from backend.studies import definitions
from backend.studies.arms import Arm
from backend.studies.crossover import crossings
from backend.studies.episodes import sampled
from backend.studies.estimate import expected
from backend.studies.page import page_text
from backend.studies.results import study_results
from backend.studies.running import finished_runs, missing_runs, run_cells
from backend.studies.step_rows import read_steps
from backend.studies.study import Setting, Study, StudyError
from backend.studies.tasks import StudyDataError, Task, open_task
from model.data.bench_files import read_test
from model.data.episode_files import EpisodeFileError
from model.data.episode_sampling import EpisodeShape
from model.evaluation.report import ReportError, read_report
from study_corpus import (
    BAG,
    FULL,
    LADDER,
    NO_CONTRAST,
    PLAIN,
    QUICK,
    TASK,
    ZERO,
    run,
    study_of,
)
from tiny_encoder import write_tiny_encoder


def test_a_study_measures_what_is_missing_and_compares_with_its_reference(
    setting: Setting,
) -> None:
    study = study_of(FULL, NO_CONTRAST, ZERO)
    nothing = study_results(study, setting, draws=100)
    assert nothing["tables"][0]["missing"] == ["full", "no contrast", "zero-shot"]
    assert "Nothing has been measured yet" in page_text(study, nothing)
    assert expected(study.cells(), setting).runs == 3 + 3 + 1
    run(replace(study, arms=(FULL, ZERO)), setting)
    assert missing_runs(setting, TASK, NO_CONTRAST) == 3
    assert missing_runs(setting, TASK, FULL) == missing_runs(setting, TASK, ZERO) == 0
    partly = study_results(study, setting, draws=100)
    assert partly["tables"][0]["missing"] == ["no contrast"]
    assert "Not measured yet: no contrast." in page_text(study, partly)
    lines = run(study, setting)
    assert lines.count("  measured before") == 2
    (table,) = study_results(study, setting, draws=100)["tables"]
    rows = {row["arm"]: row for row in table["rows"]}
    reports = {arm.name: read_report(setting.report_path(TASK, arm)) for arm in study.arms}
    assert rows["full"]["comparison"] is None
    for name in ("no contrast", "zero-shot"):
        own, reference = reports[name].runs, reports["full"].runs
        mean = sum(item.f1 for item in own) / len(own)
        difference = mean - sum(item.f1 for item in reference) / 3
        assert rows[name]["mean"]["f1"] == pytest.approx(mean, abs=1e-5)
        assert rows[name]["comparison"]["difference"] == pytest.approx(difference, abs=1e-5)
        low, high = rows[name]["comparison"]["interval"]
        assert low <= high
        assert rows[name]["comparison"]["p_holm"] >= rows[name]["comparison"]["p"]
    assert {len(report.header.labels) for report in reports.values()} == {2}
    assert [item.texts for item in reports["full"].runs] == [6, 6, 6]


def test_arms_that_differ_in_decoding_share_their_trainings(setting: Setting) -> None:
    study = study_of(FULL, BAG, NO_CONTRAST)
    ahead = expected(study.cells(), setting)
    alone = expected(study_of(FULL).cells(), setting)
    assert ahead.train_seconds == pytest.approx(2 * alone.train_seconds)
    run(study, setting)
    full, bag, other = (read_report(setting.report_path(TASK, arm)).runs for arm in study.arms)
    assert [own.adapter_digest for own in full] == [own.adapter_digest for own in bag]
    assert [own.seconds_train for own in full] == [own.seconds_train for own in bag]
    assert full[0].adapter_digest != other[0].adapter_digest
    kept = [path for path in setting.trainings.iterdir() if not path.name.startswith(".")]
    assert len(kept) == 6
    timed = replace(TASK, name="timed", timed=True, supports=1)
    run(study_of(FULL, tasks=(timed,)), setting)
    assert len(list(setting.trainings.iterdir())) == 6


def test_other_defaults_or_sentences_never_meet_in_one_table(setting: Setting) -> None:
    study = study_of(FULL, ZERO)
    run(study, setting, fresh=True)
    later = replace(setting, settings={**QUICK, "temperature": 0.2})
    assert missing_runs(later, TASK, FULL) == 3
    with pytest.raises(StudyError, match=r"full on t .*temperature"):
        study_results(study, later, draws=100)
    with pytest.raises(ReportError, match="temperature"):
        run(study, later)
    fewer = replace(setting, limit=3)
    assert missing_runs(fewer, TASK, FULL) == 3
    with pytest.raises(StudyError, match="6 sentences instead of 3"):
        study_results(study, fewer, draws=100)
    run(study, fewer, fresh=True)
    assert [own.texts for own in finished_runs(fewer, TASK, FULL)] == [3, 3, 3]


def test_an_interrupted_study_goes_on_with_the_next_support_set(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.studies.remembered import Remembered

    fit = Remembered.fit
    calls: list[int] = []

    def stopping(self: Remembered, *arguments: Any, **options: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(self, *arguments, **options)

    monkeypatch.setattr(Remembered, "fit", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(study_of(FULL), setting)
    assert len(finished_runs(setting, TASK, FULL)) == 1
    run(study_of(FULL), setting)
    assert len(finished_runs(setting, TASK, FULL)) == 3
    assert len(calls) == 2 + 2


def test_an_arm_in_a_process_of_its_own_gives_the_same_figures(setting: Setting) -> None:
    one = replace(setting, supports=1)
    other = replace(one, out=setting.out / "other")
    run_cells(study_of(FULL).cells(), one, told=lambda _line: None)
    run(study_of(FULL), other)
    (first,), (second,) = (finished_runs(own, TASK, FULL) for own in (one, other))
    assert (first.adapter_digest, first.per_text) == (second.adapter_digest, second.per_text)
    broken = replace(one, base=str(setting.data), out=setting.out / "broken")
    with pytest.raises(StudyError, match="exit status 1"):
        run_cells(study_of(FULL).cells(), broken, told=lambda _line: None)


def test_the_crossover_study_ends_in_a_crossing(setting: Setting, tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "encoder")
    study = study_of(FULL, PLAIN, tasks=LADDER, extra="crossover")
    run(study, replace(setting, limit=4))
    results = study_results(study, replace(setting, limit=4), draws=100)
    (row,) = results["crossover"]
    assert row["shots"] == [1, 2]
    assert row["runs"] == 3
    assert (row["test"], row["arm"], row["plain"]) == ("corpus/test.conll", "full", "plain")
    assert "| corpus/test.conll | full / plain |" in page_text(study, results)
    assert crossings(study_of(FULL, PLAIN), {}, draws=100, seed=0) == []


def test_the_representation_study_keeps_states(setting: Setting) -> None:
    study = study_of(FULL, NO_CONTRAST, ZERO, extra="representation")
    run(study, setting)
    results = study_results(study, setting, draws=100)
    (table,) = results["representation"]
    assert [row["arm"] for row in table["rows"]] == ["full", "no contrast", "zero-shot"]
    assert {row["mentions"] for row in table["rows"]} == {12}
    assert 0 <= table["rows"][0]["alignment"] <= 4
    assert len(table["rows"][2]["alignment_runs"]) == 1
    assert "alignment" in page_text(study, results)
    setting.states_path(TASK, ZERO).unlink()
    assert run(study, setting)[-2:-1] == ["  states kept"]


def test_the_objectives_study_keeps_the_steps(setting: Setting, tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "encoder")
    few = {"epochs": 1, "min_steps": 4, "max_steps": 4}
    both = Arm("both", few, "label_aware")
    one = Arm("one", {**few, "context_weight": 0.0}, "label_aware")
    study = study_of(both, one, extra="objectives")
    small = replace(setting, supports=1)
    assert run(study, small).count("  steps kept") == 2
    results = study_results(study, small, draws=100)
    (table,) = results["objectives"]
    assert [row["steps"] for row in table["rows"]] == [4, 4]
    for row, arm in zip(table["rows"], study.arms, strict=True):
        (kept,) = read_steps(small.steps_path(TASK, arm))
        assert (row["curve"][0], row["curve"][-1]) == (kept.losses[0], kept.losses[-1])
        assert (row["norm_first"], row["norm_last"]) == (kept.norms[0], kept.norms[-1])
        assert min(kept.norms) > 0
        assert len(kept.seconds) == 4
    assert "## Steps, t" in page_text(study, results)
    small.steps_path(TASK, one).unlink()
    assert run(study, small).count("  measured before") == 1


def test_stored_and_sampled_episodes_are_the_same(setting: Setting, tmp_path: Path) -> None:
    task = Task(
        "e", "corpus/pool.conll", sentences=0, supports=3, episodes=EpisodeShape(2, 1, 1, 1)
    )
    drawn = setting.opened(task)
    assert len(drawn.parts) == 3
    assert [part.supports[0] for part in drawn.parts] == list(drawn.supports)
    file = setting.data / task.test
    scored = read_test(file)
    splits = file.parent / "type_splits.json"
    shape = EpisodeShape(2, 1, 1, 1)
    setting.episodes.mkdir()
    kept = setting.episodes / "inter-2way-1shot.json"
    sampled(file, task.test, scored, "inter", splits, shape, 5).write(kept)
    assert setting.opened(task) == drawn
    sampled(file, task.test, scored, "inter", splits, EpisodeShape(2, 1, 1, 2), 5).write(kept)
    with pytest.raises(EpisodeFileError, match="seed"):
        setting.opened(task)


def test_folds_are_disjoint_and_pooled_in_one_table(setting: Setting) -> None:
    folds = tuple(
        Task(
            f"fold-{fold}",
            "corpus/test.conll",
            draw="corpus/pool.conll",
            shots=1,
            fold=fold,
            group="folds",
            supports=1,
            sentences=5,
        )
        for fold in range(5)
    )
    opened = [open_task(fold, setting.data, supports=1) for fold in folds]
    scored = [{item.text for item in own.items} for own in opened]
    assert all(not scored[i] & scored[j] for i in range(5) for j in range(i))
    for fold, own in enumerate(opened):
        everything = open_task(replace(folds[fold], sentences=1000), setting.data, supports=1).items
        assert len(everything) == 20
        held = {item.text for item in everything}
        assert not held & {item.text for item in own.supports[0].items}
    study = study_of(FULL, ZERO, tasks=folds)
    run(study, setting)
    (table,) = study_results(study, setting, draws=100)["tables"]
    assert [len(row["runs"]) for row in table["rows"]] == [5, 5]
    assert table["rows"][1]["comparison"]["supports"] == 5
    setting.report_path(folds[2], ZERO).unlink()
    (table,) = study_results(study, setting, draws=100)["tables"]
    assert table["missing"] == ["zero-shot"]


def test_missing_data_is_named(setting: Setting) -> None:
    with pytest.raises(StudyDataError, match="no/such"):
        open_task(replace(TASK, test="no/such.conll"), setting.data, supports=1)


def test_the_command_plans_measures_and_writes_pages(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study("tiny", "Tiny", "Why?", (TASK,), (FULL, ZERO))
    monkeypatch.setattr(definitions, "STUDIES", {"tiny": study})
    options = [
        *("--out", str(setting.out), "--data", str(setting.data), "--base", setting.base),
        *("--source-adapter", setting.adapter, "--config", json.dumps(QUICK), "--threads", "1"),
        *("--supports", "1"),
    ]

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["study", *arguments])
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.output

    assert "tiny: 2 runs to make" in call("tiny", *options, "--plan")
    assert not setting.out.exists()
    said = call("tiny", *options, "--together", "--only", "zero-shot")
    assert "[1 of 1] t, zero-shot" in said
    pages = tmp_path / "pages"
    call("all", *options, "--page", str(pages), "--draws", "100")
    page = (pages / "tiny.md").read_text()
    assert "# Tiny" in page
    assert "Not measured yet: full." in page
    assert "**This is a try-out, not the quick protocol**" in page
    assert "What is missing takes about" in page
    results = json.loads((pages / "tiny.json").read_text())
    f1 = results["tables"][0]["rows"][0]["mean"]["f1"]
    assert f"| zero-shot | {100 * f1:.1f} |" in page
    assert "| [Tiny](tiny.md) | Why? | 1 of 2 arms |" in (pages / "index.md").read_text()
    assert "Why?" in call("list")
    unknown = CliRunner().invoke(app, ["study", "huge"])
    assert isinstance(unknown.exception, UnknownStudyError)
    wrong = CliRunner().invoke(app, ["study", "tiny", *options, "--only", "half"])
    assert isinstance(wrong.exception, StudyError)
