"""Measurements of `nerloop bench score` and `bench episodes` that need not be made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from backend.studies.arms import Arm
from backend.studies.study import Setting, StudyError
from backend.studies.tasks import Task
from backend.studies.today import Today
from model.evaluation.report import Report, read_report


class TakenFileError(StudyError):
    """The file is no measurement of these tasks and arms as they are today."""


def take(
    path: Path, cells: Sequence[tuple[Task, Arm]], setting: Setting, *, fresh: bool = False
) -> Path:
    """Copy a report to the place of the task and arm that it measures.

    It must be what a measurement made today would begin with: the same settings, threads,
    sentences, labels, support sets, base model and adapter.

    Args:
        path: The report.
        cells: Tasks and arms it may belong to.
        setting: Where and with what.
        fresh: Replace a measurement that is there already.

    Returns:
        Where it is now.

    Raises:
        TakenFileError: If it belongs to none of them, or the place is taken.
        ReportError: If the file cannot be read.
    """
    report, today = read_report(path), Today(setting)
    near: list[str] = []
    for task, arm in cells:
        if not _same_kind(report, task, arm):
            continue
        different = today.differences(task, arm, report)
        if different:
            near.append(f"{arm.name} on {task.name} has {', '.join(different)}")
            continue
        return _copied(path, setting.report_path(task, arm), fresh)
    why = "; ".join(near) or "no task scores this file with this method"
    raise TakenFileError(f"{path} cannot be taken: {why}.")


def _same_kind(report: Report, task: Task, arm: Arm) -> bool:
    header = report.header
    trained = any(run.support is not None for run in report.runs)
    return (
        header.test == task.test
        and header.method == arm.method
        and trained == arm.trained
        and ("ways" in header.protocol) == (task.episodes is not None)
        and bool(report.runs)
    )


def _copied(path: Path, place: Path, fresh: bool) -> Path:
    content = path.read_bytes()
    if place.exists() and not fresh and place.read_bytes() != content:
        raise TakenFileError(f"{place} holds another measurement; --fresh replaces it.")
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    aside.write_bytes(content)
    os.replace(aside, place)
    return place
