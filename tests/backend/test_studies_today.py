from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.studies.arms import Arm
from backend.studies.crossover import crossings
from backend.studies.measuring import measure
from backend.studies.remembered import training_code_digest
from backend.studies.results import study_results
from backend.studies.running import missing_runs, run_cells
from backend.studies.study import Setting, Study, StudyError
from backend.studies.tasks import Task
from backend.studies.today import Today
from model import evaluation
from model.evaluation.comparison import ComparisonError
from model.evaluation.report import Header, Report, ReportError, read_report
from model.evaluation.runs import Run
from model.method import AdapterFiles

QUICK = {"epochs": 1, "min_steps": 1, "max_steps": 1, "pull": 0.0}
TASK = Task("t", "corpus/test.conll", support="corpus/1shot", sentences=4)
FULL, ZERO = Arm("full"), Arm("zero-shot", trained=False)
STUDY = Study("s", "S", "Why?", (TASK,), (FULL, ZERO))


def conll(*pairs: tuple[str, str]) -> str:
    return "".join(f"{name}\tB-PER\nsaw\tO\n{place}\tB-LOC\n\n" for name, place in pairs)


@pytest.fixture
def setting(tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path) -> Setting:
    corpus = tmp_path / "data" / "corpus"
    (corpus / "1shot").mkdir(parents=True)
    (corpus / "labels.json").write_text('{"types": {"PER": "person", "LOC": "place"}}')
    (corpus / "test.conll").write_text(conll(("Ann", "Oslo"), ("Ben", "Rome"), ("Cyd", "Bonn")))
    (corpus / "1shot" / "0.conll").write_text(conll(("Dan", "Kiel")))
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name, content in tiny_adapter.items():
        (adapter / name).write_bytes(content)
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    return Setting(
        data=tmp_path / "data",
        out=tmp_path / "out",
        home=tmp_path,
        base=str(base),
        adapter=str(adapter),
        supports=1,
        threads=1,
        settings=QUICK,
    )


def run(setting: Setting, **options: Any) -> list[str]:
    lines: list[str] = []
    run_cells(STUDY.cells(), setting, told=lines.append, isolated=False, **options)
    return lines


def swapped_adapter(setting: Setting) -> str:
    path = Path(setting.adapter) / "nerloop.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": 99}))
    return "another base adapter"


def changed_base(setting: Setting) -> str:
    path = Path(setting.base) / "nerloop-base.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "0" * 64}))
    return "another base model"


def renamed_label(setting: Setting) -> str:
    path = setting.data / "corpus" / "labels.json"
    path.write_text(path.read_text().replace("person", "human"))
    return "another set of labels"


def changed_test(setting: Setting) -> str:
    path = setting.data / "corpus" / "test.conll"
    path.write_text(path.read_text() + conll(("Eva", "Bern")))
    return "another test file, another choice of sentences"


@pytest.mark.parametrize("change", [swapped_adapter, changed_base, renamed_label, changed_test])
def test_what_was_measured_before_a_change_is_not_used(change: Any, setting: Setting) -> None:
    run(setting)
    assert missing_runs(setting, TASK, FULL) == missing_runs(setting, TASK, ZERO) == 0
    study_results(STUDY, setting, draws=100)
    named = change(setting)
    assert missing_runs(setting, TASK, FULL) == missing_runs(setting, TASK, ZERO) == 1
    with pytest.raises(StudyError, match=f"full on t .*: {named}"):
        study_results(STUDY, setting, draws=100)


def test_a_changed_support_set_is_not_used(setting: Setting) -> None:
    run(setting)
    (setting.data / "corpus" / "1shot" / "0.conll").write_text(conll(("Gus", "Graz")))
    assert missing_runs(setting, TASK, FULL) == 1
    assert missing_runs(setting, TASK, ZERO) == 0
    with pytest.raises(StudyError, match=r"another support set corpus/1shot/0\.conll"):
        study_results(STUDY, setting, draws=100)
    with pytest.raises(StudyError, match="--fresh"):
        measure(setting, TASK, FULL)
    run(setting, fresh=True)
    study_results(STUDY, setting, draws=100)


def test_a_page_can_be_written_where_data_and_base_model_are_not(setting: Setting) -> None:
    run(setting)
    away = replace(setting, data=Path("nowhere"), base="nowhere")
    report = read_report(setting.report_path(TASK, FULL))
    assert Today(away).differences(TASK, FULL, report) == []
    swapped_adapter(setting)
    assert Today(away).differences(TASK, FULL, report) == ["another base adapter"]


def test_fresh_trains_again_and_shares_what_it_trained(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.cllmfs.method import Cllmfs

    fit, made = Cllmfs.fit, []

    def counted(self: Cllmfs, *arguments: Any, **options: Any) -> Any:
        made.append(1)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(Cllmfs, "fit", counted)
    bag = Arm("bag", {"decoding": "bag"})
    cells = [(TASK, FULL), (TASK, bag)]

    def again(**options: Any) -> int:
        before = len(made)
        run_cells(cells, setting, told=lambda _line: None, isolated=False, **options)
        return len(made) - before

    assert again() == 1
    assert again(fresh=True) == 1
    assert len(list(setting.trainings.iterdir())) == 1
    measure(setting, TASK, FULL, fresh=True)
    assert len(made) == 2
    monkeypatch.setattr("backend.studies.remembered.training_code_digest", lambda: "other code")
    measure(setting, TASK, FULL, fresh=True)
    assert len(made) == 3


def test_the_digest_of_the_code_that_trains_follows_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training_code_digest()
    copy = tmp_path / "model"
    shutil.copytree(Path(evaluation.__file__).parents[1], copy, ignore=only_code)
    monkeypatch.setattr(evaluation, "__file__", str(copy / "evaluation" / "__init__.py"))
    assert training_code_digest() == before
    (copy / "cllmfs" / "source.py").write_text("changed")
    assert training_code_digest() == before
    (copy / "cllmfs" / "losses.py").write_text("changed")
    assert training_code_digest() != before


def only_code(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_file() and not name.endswith(".py")]


def test_arms_with_other_numbers_of_threads_never_meet(setting: Setting) -> None:
    run(setting)
    path = setting.report_path(TASK, ZERO)
    assert read_report(path).header.environment["threads"] == 1
    assert missing_runs(replace(setting, threads=2), TASK, FULL) == 1
    with pytest.raises(ReportError, match="threads"):
        measure(replace(setting, threads=2), TASK, FULL)
    value = json.loads(path.read_text())
    value["environment"]["threads"] = 2
    path.write_text(json.dumps(value))
    with pytest.raises(StudyError, match="1 and 2 threads"):
        study_results(STUDY, setting, draws=100)


def report(test: str, supports: dict[str, float]) -> Report:
    """Four sentences with one name each; the share of them is found under each support set."""
    digests = {"labels": "l", "base": "b", "source_adapter": "a"}
    header = Header(
        "m", "b", "a", test, ("PER",), {"oracle_types": False}, {}, f"sentences of {test}", digests
    )
    runs = []
    for name, share in supports.items():
        found = round(4 * share)
        counts = tuple((int(place < found), int(place < found), 1) for place in range(4))
        f1 = 2 * found / (found + 4)
        runs.append(
            Run(name, name, 1, 4, 0, 0, f1, 0, 0, 0, {}, 0, 0, 0, 1, "", counts, f"{name} {test}")
        )
    return Report(header, tuple(runs))


def test_a_ladder_is_paired_by_support_set_whatever_the_order() -> None:
    """The method finds all with draw 0 and nothing with draw 1; plain the same, told in reverse.

    Paired by place they would differ by plus and minus 1, and the interval would not close.
    """
    tasks = tuple(Task(f"d-{shots}", "d/test", draw="d/pool", shots=shots) for shots in (1, 2))
    plain = Arm("plain", method="tagger")
    study = Study("s", "S", "?", tasks, (FULL, plain), extra="crossover")
    reports = {}
    for shots in (1, 2):
        name = f"d-{shots}"
        sets = {f"{shots}shot/0": 1.0, f"{shots}shot/1": 0.0}
        reports[name, "full"] = report("d/test", sets)
        reports[name, "plain"] = report("d/test", dict(reversed(sets.items())))
    (row,) = crossings(study, reports, draws=200, seed=0)
    assert (row["runs"], row["crossing"], row["interval"]) == (2, 1.0, [1.0, 1.0])
    reports["d-2", "plain"] = report("other", {"2shot/0": 1.0})
    with pytest.raises(ComparisonError, match="2 shots"):
        crossings(study, reports, draws=200, seed=0)


def test_folds_are_paired_one_by_one(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold 0: 1 against 0; fold 1: 0 against 0. The difference is (1 + 0) / 2."""
    tasks = tuple(Task(f"f{n}", "d/test", draw="d", fold=n, group="folds") for n in (0, 1))
    study = Study("k", "K", "?", tasks, (ZERO, FULL))
    reports = {
        ("f0", "full"): report("f0", {"a": 1.0, "b": 1.0}),
        ("f1", "full"): report("f1", {"a": 0.0, "b": 0.0}),
        ("f0", "zero-shot"): report("f0", {"": 0.0}),
        ("f1", "zero-shot"): report("f1", {"": 0.0}),
    }
    for key in [("f0", "zero-shot"), ("f1", "zero-shot")]:
        runs = tuple(replace(own, support=None, support_digest=None) for own in reports[key].runs)
        reports[key] = replace(reports[key], runs=runs)
    monkeypatch.setattr("backend.studies.results.read_reports", lambda _study, _setting: reports)
    (table,) = study_results(study, setting, draws=200)["tables"]
    comparison = table["rows"][1]["comparison"]
    assert (comparison["difference"], comparison["supports"]) == (0.5, 4)
    reports["f1", "zero-shot"] = replace(
        reports["f1", "zero-shot"], header=reports["f0", "full"].header
    )
    with pytest.raises(ComparisonError, match="on f1"):
        study_results(study, setting, draws=200)
