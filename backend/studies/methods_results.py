"""The comparison of methods as one JSON value: a column per task, every system's row in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.studies.arms import Arm
from backend.studies.averages import averages, without_sentences
from backend.studies.methods_table import LABEL_AWARE, SEED_BASELINES, Column
from backend.studies.results import distinct, read_reports
from backend.studies.study import Setting, Study
from backend.studies.tasks import places_apart
from model.evaluation.comparison import Verdict, compare
from model.evaluation.episodes import are_episodes, episode_figures
from model.evaluation.report import Report
from model.evaluation.runs import DIGITS

_NAMES = ("f1", "precision", "recall", "io_f1", "false_nonempty")


def methods_results(
    table: Study,
    columns: Sequence[Column],
    setting: Setting,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that the page tells, from the files of the measurements.

    The best system of a column is compared with each other one, and so is the label-aware method;
    p is corrected within each of these two families of a column (Holm, 1979). Systems whose runs
    are not complete are shown, but not compared.

    Args:
        table: The systems, and the tasks of the columns.
        columns: The columns.
        setting: Where the files are.
        draws: Bootstrap draws.
        seed: Seeds the draws.

    Raises:
        StudyError: If a file was made with other settings, data, base model or adapter than
            today's, or with different numbers of threads.
        ComparisonError: If two systems of a column were measured on different data.
        ReportError: If a file is damaged.
    """
    reports = read_reports(table, setting)
    headers = [report.header for report in reports.values()]
    runs = [run for report in reports.values() for run in report.runs]
    return {
        "columns": [_column(own, table, setting, reports, draws, seed) for own in columns],
        "base": sorted({header.base for header in headers}),
        "environments": distinct(header.environment for header in headers),
        "code": sorted({run.code for run in runs if run.code}),
        "limit": setting.limit,
        "supports": setting.supports,
        "draws": draws,
        "seconds": round(sum(run.seconds_train + run.seconds_predict for run in runs), 1),
    }


def _column(
    column: Column,
    table: Study,
    setting: Setting,
    reports: Mapping[tuple[str, str], Report],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    task = column.task
    arms = [arm for own, arm in table.cells(tasks=[task.name]) if own.name == task.name]
    known = {
        arm.name: reports[task.name, arm.name] for arm in arms if (task.name, arm.name) in reports
    }
    apart: frozenset[int] = frozenset()
    if known and task.apart:
        opened = setting.opened(task)
        apart = places_apart(task, setting.data, opened.items)
        known = {name: without_sentences(own, apart) for name, own in known.items()}
    rows = [
        _row(arm, known[arm.name], setting.runs(task, arm)) for arm in arms if arm.name in known
    ]
    whole = {row["system"]: known[row["system"]] for row in rows if row["runs"] >= row["wanted"]}
    return {
        "name": task.name,
        "title": column.title,
        "protocol": column.protocol,
        "zero_shot": column.zero_shot,
        "test": task.test,
        "supports": _supports(column),
        "sentences": max((row["texts"] for row in rows), default=None),
        "apart": len(apart),
        "rows": rows,
        "missing": [arm.name for arm in arms if arm.name not in known],
        **_best(rows, whole, draws, seed),
        "label_aware": _label_aware(whole, draws, seed),
    }


def _supports(column: Column) -> str:
    task = column.task
    if task.episodes is not None:
        return f"{task.supports} episodes"
    if column.zero_shot:
        return "none"
    return task.support or f"{task.shots} shots, drawn from {task.draw}"


def _row(arm: Arm, report: Report, wanted: int) -> dict[str, Any]:
    mean, deviation = averages(report)
    runs = report.runs
    texts = sum(run.texts for run in runs)
    row = {
        "system": arm.name,
        "settings": arm.shown_settings,
        "runs": len(runs),
        "wanted": wanted,
        **{name: mean[name] for name in _NAMES},
        "std": deviation,
        "interval": None,
        "texts": max(run.texts for run in runs),
        "seconds_train": mean["seconds_train"],
        "seconds_per_text": round(sum(run.seconds_predict for run in runs) / texts, DIGITS),
        "peak_rss_mb": max(run.peak_rss_mb for run in runs),
        "base": report.header.base,
        "source_adapter": report.header.source_adapter,
        "each": [run.f1 for run in runs],
    }
    if are_episodes(report.header.protocol):
        row |= {"interval": episode_figures(runs)["interval"], "texts": texts, "each": []}
    return row


def _best(
    rows: Sequence[Mapping[str, Any]], whole: Mapping[str, Report], draws: int, seed: int
) -> dict[str, Any]:
    """The best system, each other one against it, and whether it is shown to be the best."""
    order = sorted((row for row in rows if row["system"] in whole), key=lambda row: -row["f1"])
    if len(order) < 2:
        return {"best": order[0]["system"] if order else None, "shown": False, "against_best": []}
    first, second = order[0]["system"], order[1]["system"]
    verdicts = _compared(first, [row["system"] for row in order[1:]], whole, draws, seed)
    shown = next(own.shown for own in verdicts if own.other == second)
    return {"best": first, "shown": shown, "against_best": [_told(own) for own in verdicts]}


def _label_aware(whole: Mapping[str, Report], draws: int, seed: int) -> dict[str, Any] | None:
    """The label-aware method against every other system; None where it has not been measured."""
    others = [name for name in whole if name != LABEL_AWARE.name]
    if LABEL_AWARE.name not in whole or not others:
        return None
    verdicts = _compared(LABEL_AWARE.name, others, whole, draws, seed)
    above = [own.other for own in verdicts if own.shown and own.both.difference > 0]
    return {
        "comparisons": [_told(own) for own in verdicts],
        "above": above,
        "seed_baselines": [name for name in SEED_BASELINES if name in whole],
    }


def _compared(
    first: str, others: Sequence[str], whole: Mapping[str, Report], draws: int, seed: int
) -> list[Verdict]:
    pairs = [(name, whole[name]) for name in (first, *others)]
    return compare(pairs, draws=draws, seed=seed)


def _told(verdict: Verdict) -> dict[str, Any]:
    both = verdict.both
    return {
        "system": verdict.other,
        "difference": round(both.difference, DIGITS),
        "interval": [round(both.low, DIGITS), round(both.high, DIGITS)],
        "p": round(both.p, DIGITS),
        "p_holm": round(verdict.p_holm, DIGITS),
        "shown": verdict.shown,
    }
