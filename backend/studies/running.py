"""A study, cell by cell: what is missing is measured, each cell in a process of its own."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.studies.arms import Arm
from backend.studies.study import Extra, Setting, StudyError
from backend.studies.tasks import Task
from backend.studies.today import Today
from model.errors import NerLoopError
from model.evaluation.protocol import Watcher
from model.evaluation.report import read_report
from model.evaluation.runs import Run

_INTERRUPTED = 130
Told = Callable[[str], None]


def finished_runs(setting: Setting, task: Task, arm: Arm) -> tuple[Run, ...]:
    """The runs that are there.

    Raises:
        ReportError: If the file is damaged.
    """
    path = setting.report_path(task, arm)
    return read_report(path).runs if path.exists() else ()


def missing_runs(setting: Setting, task: Task, arm: Arm, today: Today | None = None) -> int:
    """How many runs are not there yet.

    All of them where the file was made with other settings, data, base model or base adapter.

    Args:
        setting: Where and with what.
        task: The data.
        arm: The arm.
        today: What a measurement would have now; by default it is found out anew.

    Raises:
        ReportError: If the file is damaged.
    """
    path = setting.report_path(task, arm)
    wanted = setting.runs(task, arm)
    if not path.exists():
        return wanted
    return (today or Today(setting)).missing(task, arm, read_report(path))


def missing_cells(
    cells: Sequence[tuple[Task, Arm]], setting: Setting, *, fresh: bool = False
) -> list[tuple[Task, Arm]]:
    """Those that have runs to make.

    Args:
        cells: Tasks and arms.
        setting: Where and with what.
        fresh: Count finished runs too.

    Raises:
        ReportError: If a file is damaged.
    """
    today = Today(setting)
    return [(task, arm) for task, arm in cells if fresh or missing_runs(setting, task, arm, today)]


def run_cells(
    cells: Sequence[tuple[Task, Arm]],
    setting: Setting,
    *,
    told: Told,
    extra: Extra | None = None,
    fresh: bool = False,
    isolated: bool = True,
) -> None:
    """Measure what is missing; interrupted, the same call goes on where it stopped.

    Args:
        cells: Tasks and arms.
        setting: Where and with what.
        told: Is given a line for people at every event.
        extra: What the study wants beside the scores.
        fresh: Measure everything again, trainings included: those made before are not used.
        isolated: Whether every cell has a process of its own: then its highest memory is its own
            too. Without it everything happens here.

    Raises:
        StudyError: If the process of a cell fails; it has printed why.
        NerLoopError: Without processes, what a measurement raises.
    """
    began, today = time.monotonic(), Today(setting)
    trained_since = time.time() if fresh else 0.0
    for number, (task, arm) in enumerate(cells, start=1):
        told(f"[{number} of {len(cells)}] {task.name}, {arm.name}")
        job = _Job(setting, task, arm, extra, fresh, trained_since)
        if job.done(today):
            told("  measured before")
            continue
        if isolated:
            _in_a_process(job)
        else:
            _measured(job, told)
        told(f"  {time.monotonic() - began:.0f} s since the beginning")


@dataclass(frozen=True, slots=True)
class _Job:
    setting: Setting
    task: Task
    arm: Arm
    extra: Extra | None
    fresh: bool
    trained_since: float

    def done(self, today: Today) -> bool:
        if self.fresh or missing_runs(self.setting, self.task, self.arm, today):
            return False
        kept = self.setting.kept_path(self.extra, self.task, self.arm)
        # nothing is kept of the steps of an arm that is not trained
        return (
            kept is None or kept.exists() or (self.extra == "objectives" and not self.arm.trained)
        )


def _measured(job: _Job, told: Told) -> None:
    # here, for the parent of the processes needs no torch
    from backend.studies.measuring import measure
    from backend.studies.states import collect_states
    from backend.studies.steps import collect_steps

    def on_run(run: Run) -> None:
        told(
            f"  {run.support or 'zero-shot'}: F1 {run.f1:.4f}, train {run.seconds_train:.1f} s, "
            f"predict {run.seconds_predict:.1f} s"
        )

    measure(
        job.setting,
        job.task,
        job.arm,
        watcher=Watcher(on_run=on_run),
        fresh=job.fresh,
        trained_since=job.trained_since,
    )
    if job.extra == "representation":
        collect_states(job.setting, job.task, job.arm)
        told("  states kept")
    if job.extra == "objectives" and job.arm.trained:
        collect_steps(job.setting, job.task, job.arm)
        told("  steps kept")


def _in_a_process(job: _Job) -> None:
    # spawned, not forked: torch's threads do not survive a fork
    context: Any = multiprocessing.get_context("spawn")
    child = context.Process(target=_child, args=(job,))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        child.join()
        raise
    if child.exitcode == _INTERRUPTED:
        raise KeyboardInterrupt
    if child.exitcode != 0:
        raise StudyError(
            f"{job.arm.name} on {job.task.name} was not measured (exit status {child.exitcode}). "
            "The runs before it are kept; the same command goes on."
        )


def _child(job: _Job) -> None:
    def told(line: str) -> None:
        print(line, flush=True)

    try:
        _measured(job, told)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except NerLoopError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(1)
