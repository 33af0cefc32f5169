"""The results of a study as one JSON value: a table per task, every arm against its reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend.studies.arms import Arm
from backend.studies.averages import averages
from backend.studies.crossover import crossings
from backend.studies.representation import read_states, representation_rows
from backend.studies.step_rows import CURVE, read_steps, step_rows
from backend.studies.study import Setting, Study, StudyError
from backend.studies.tasks import Task
from backend.studies.today import Today
from model.evaluation.bootstrap import holm
from model.evaluation.comparison import LEVEL, compare, paired_runs, require_same
from model.evaluation.report import Report, read_report
from model.evaluation.runs import DIGITS, Run
from model.methods import FRESH

_KEPT = ("support", "f1", "precision", "recall", "io_f1", "seconds_train", "seconds_predict")


def study_results(
    study: Study, setting: Setting, *, draws: int = 10_000, seed: int = 0
) -> dict[str, Any]:
    """Everything that a study's page tells, from the files of its measurements.

    Arms without a file are listed as missing. Differences are arm minus reference; p is corrected
    over all comparisons of the study (Holm, 1979).

    Args:
        study: The study.
        setting: Where its files are.
        draws: Bootstrap draws.
        seed: Seeds the draws.

    Raises:
        StudyError: If arms were measured with other settings, data, base model or base adapter
            than today's, or with different numbers of threads.
        ComparisonError: If two arms of a table were measured on different data.
        ReportError: If a file is damaged.
    """
    reports = read_reports(study, setting)
    tables = [_table(study, setting, name, reports, draws, seed) for name in _tables(study)]
    compared = [row for table in tables for row in table["rows"] if row["comparison"]]
    for row, p in zip(compared, holm([row["comparison"]["p"] for row in compared]), strict=True):
        comparison = row["comparison"]
        low, high = comparison["interval"]
        comparison["p_holm"] = round(p, DIGITS)
        comparison["shown"] = p < LEVEL and not low <= 0 <= high
    headers = [report.header for report in reports.values()]
    codes = sorted({run.code for report in reports.values() for run in report.runs if run.code})
    return {
        "study": study.name,
        "title": study.title,
        "question": study.question,
        "notes": list(study.notes),
        "tables": tables,
        **_extra(study, setting, reports, draws, seed),
        "base": sorted({header.base for header in headers}),
        "environments": distinct(header.environment for header in headers),
        "code": codes,
        "settings": dict(setting.settings),
        "limit": setting.limit,
        "supports": setting.supports,
        "draws": draws,
        "seconds": round(_seconds(reports.values()), 1),
    }


def read_reports(study: Study, setting: Setting) -> dict[tuple[str, str], Report]:
    """What has been measured of a study, by task and arm.

    Raises:
        StudyError: If arms were measured with other settings, data, base model or base adapter
            than today's, or with different numbers of threads.
        ReportError: If a file is damaged.
    """
    reports = {}
    for task, arm in study.cells():
        path = setting.report_path(task, arm)
        if path.exists() and (report := read_report(path)).runs:
            reports[task.name, arm.name] = report
    _require_one_kind(study, setting, reports)
    return reports


def _require_one_kind(
    study: Study, setting: Setting, reports: dict[tuple[str, str], Report]
) -> None:
    """Refuse files made with settings, data, a base model or an adapter of another day."""
    today = Today(setting)
    for task, arm in study.cells():
        report = reports.get((task.name, arm.name))
        if report is None:
            continue
        different = today.differences(task, arm, report)
        if different:
            raise StudyError(
                f"{arm.name} on {task.name} was measured with other settings than today's: "
                f"{', '.join(different)}. Measure it again with --fresh, or ask with the same "
                "options."
            )
    used = {str(report.header.environment.get("threads", "")) for report in reports.values()}
    if len(used - {""}) > 1:
        raise StudyError(
            f"The arms of {study.name} were measured with {' and '.join(sorted(used - {''}))}"
            " threads. Measure all with one --threads, the others with --fresh."
        )
    sources: dict[tuple[bool, str], set[str | None]] = {}
    for task, arm in study.cells():
        start = setting.start_of(arm)
        # fresh adapters are as different as the settings they are made with
        if (task.name, arm.name) in reports and start != FRESH:
            header = reports[task.name, arm.name].header
            own = sources.setdefault((arm.on_language_model, start), set())
            own.add(header.digests.get("source_adapter"))
    if any(len(own) > 1 for own in sources.values()):
        raise StudyError(
            f"The arms of {study.name} were measured with different base adapters. Measure the"
            " older ones again with --fresh."
        )


def _tables(study: Study) -> list[str]:
    return list(dict.fromkeys(task.table for task in study.tasks))


def _table(
    study: Study,
    setting: Setting,
    name: str,
    reports: dict[tuple[str, str], Report],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    tasks = [task for task in study.tasks if task.table == name]
    known = {arm.name: _of_all(tasks, arm, reports) for arm in study.arms}
    rows, missing = [], []
    for arm in study.arms:
        if all((arm.name, task.name) in study.left_out for task in tasks):
            continue
        own = known[arm.name]
        if not own:
            missing.append(arm.name)
            continue
        wanted = sum(setting.runs(task, arm) for task in tasks)
        row = _row(arm, list(own.values()), wanted)
        against = arm.against or study.arms[0].name
        other = known[against]
        if other and against != arm.name:
            row["comparison"] = _comparison(arm.name, own, against, other, draws, seed)
        rows.append(row)
    header = next((report.header for own in known.values() for report in own.values()), None)
    return {
        "name": name,
        "role": tasks[0].role,
        "test": list(dict.fromkeys(task.test for task in tasks)),
        "supports": list(dict.fromkeys(_supports_of(task) for task in tasks)),
        "change": tasks[0].change,
        "labels": len(header.labels) if header else None,
        "rows": rows,
        "missing": missing,
    }


def _supports_of(task: Task) -> str:
    if task.fold is not None:
        return f"{task.shots} shots per label, drawn from the other folds"
    return task.support or f"{task.shots} shots per label, drawn from {task.draw}"


def _of_all(
    tasks: Sequence[Task], arm: Arm, reports: Mapping[tuple[str, str], Report]
) -> dict[str, Report]:
    """The reports of an arm by task; none at all where one of them is missing."""
    found = {
        task.name: reports[task.name, arm.name]
        for task in tasks
        if (task.name, arm.name) in reports
    }
    return found if len(found) == len(tasks) else {}


def _row(arm: Arm, reports: Sequence[Report], wanted: int) -> dict[str, Any]:
    runs = tuple(run for report in reports for run in report.runs)
    mean, deviation = averages(replace(reports[0], runs=runs))
    return {
        "arm": arm.name,
        "settings": arm.shown_settings,
        "runs_wanted": wanted,
        "mean": mean,
        "std": deviation,
        "peak_rss_mb": max(run.peak_rss_mb for run in runs),
        "runs": [{name: getattr(run, name) for name in _KEPT} for run in runs],
        "comparison": None,
    }


def _comparison(
    name: str,
    own: Mapping[str, Report],
    against: str,
    its: Mapping[str, Report],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    both = _pooled(name, own, against, its) if len(own) > 1 else [*own.values(), *its.values()]
    (verdict,) = compare(list(zip((name, against), both, strict=True)), draws=draws, seed=seed)
    only = verdict.sentence_only
    return {
        "against": against,
        "difference": round(verdict.both.difference, DIGITS),
        "interval": [round(verdict.both.low, DIGITS), round(verdict.both.high, DIGITS)],
        "p": round(verdict.both.p, DIGITS),
        "sentence_only_interval": [round(only.low, DIGITS), round(only.high, DIGITS)],
        "supports": verdict.supports,
    }


def _pooled(
    name: str, own: Mapping[str, Report], against: str, its: Mapping[str, Report]
) -> list[Report]:
    """The runs of several tasks in one report each, paired task by task.

    Raises:
        ComparisonError: If the sentences, labels or support sets of a task differ.
    """
    first: list[Run] = []
    second: list[Run] = []
    for task in own:
        require_same(f"{name} on {task}", own[task], f"{against} on {task}", its[task])
        pairs = paired_runs(own[task].runs, its[task].runs)
        if not pairs:
            raise StudyError(f"{name} and {against} have no support set in common on {task}.")
        for place, (one, two) in enumerate(pairs):
            digest = one.support_digest or two.support_digest
            key = f"{task}/{digest or 'zero-shot'}"
            # the place keeps those of several training seeds apart, and their order
            first.append(replace(one, support=key, support_digest=key, seed=place))
            second.append(replace(two, support=key, support_digest=key, seed=place))
    # the tasks are equal one by one, so one header may stand for them all
    header = next(iter(own.values())).header
    return [Report(header, tuple(first)), Report(header, tuple(second))]


def _extra(
    study: Study,
    setting: Setting,
    reports: dict[tuple[str, str], Report],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    if study.extra == "crossover":
        return {"crossover": crossings(study, reports, draws=draws, seed=seed)}
    if study.extra == "objectives":
        return {"objectives": _objectives(study, setting)}
    if study.extra != "representation":
        return {}
    tables = []
    for task in study.tasks:
        arms = [
            (arm.name, read_states(setting.states_path(task, arm)))
            for arm in study.arms
            if setting.states_path(task, arm).exists()
        ]
        if arms and arms[0][0] == study.arms[0].name:
            rows = representation_rows(arms, draws=draws, seed=seed)
            tables.append({"name": task.name, "rows": rows})
    return {"representation": tables}


def _objectives(study: Study, setting: Setting) -> list[dict[str, Any]]:
    tables = []
    for task in study.tasks:
        paths = [(arm.name, setting.steps_path(task, arm)) for arm in study.arms]
        arms = [(name, read_steps(path)) for name, path in paths if path.exists()]
        if arms:
            tables.append({"name": task.name, "curve_at": CURVE, "rows": step_rows(arms)})
    return tables


def _seconds(reports: Iterable[Report]) -> float:
    runs = [run for report in reports for run in report.runs]
    return sum(run.seconds_train + run.seconds_predict for run in runs)


def distinct(values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The different ones, in order."""
    found: list[dict[str, Any]] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
