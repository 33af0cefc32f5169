"""One arm on one task: opened, measured run by run, and kept in its file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.studies.arms import Arm
from backend.studies.remembered import Remembered
from backend.studies.study import Setting, StudyError
from backend.studies.tasks import SENTENCE_SEED, Task
from model.base.digest import file_digest
from model.evaluation.machine import code_version, machine, threads_used
from model.evaluation.measurement import ZERO_SHOT, Measurement
from model.evaluation.protocol import Watcher, run_protocol
from model.evaluation.report import Header, Report, ReportFile
from model.evaluation.runs import Run
from model.method import AdapterFiles, NerMethod

TRAIN_SEED = 1


def measure(
    setting: Setting,
    task: Task,
    arm: Arm,
    *,
    watcher: Watcher | None = None,
    fresh: bool = False,
    trained_since: float = 0.0,
) -> Report:
    """Make the runs of an arm on a task that its file does not have yet.

    Args:
        setting: Where and with what.
        task: The data.
        arm: The arm.
        watcher: Who is told.
        fresh: Start over, whatever the file holds.
        trained_since: Use no shared training made before this time, in seconds since 1970.

    Returns:
        What the file holds then.

    Raises:
        StudyError: If the file holds runs of support sets that have changed.
        ReportError: If the file holds runs made with other settings.
        NerLoopError: If data, base model or adapter cannot be used, or a training fails.
    """
    opened = setting.opened(task)
    method, start, base = open_arm(setting, arm)
    remembered = None
    if arm.method == "cllmfs" and not task.timed:
        remembered = method = Remembered(method, setting.trainings, since=trained_since)
    measurement = Measurement(method, start, opened.labels, opened.items)
    protocol: dict[str, Any] = {
        "limit": setting.sentences(task),
        "seed": SENTENCE_SEED,
        **opened.shape,
    }
    if task.change is not None:
        protocol["change"] = task.change
    header = Header.of(
        measurement,
        base=base,
        source_adapter=setting.start_of(arm),
        test=task.test,
        protocol=protocol,
        test_digest=file_digest(setting.data / task.test),
        environment={**machine(), "threads": threads_used()},
    )
    report = ReportFile(setting.report_path(task, arm), header, fresh=fresh)
    if arm.trained:
        _require_supports(setting, task, report.report)
    told = watcher or Watcher()

    def on_run(run: Run) -> None:
        if remembered is not None and arm.trained:
            peak = max(run.peak_rss_mb, remembered.peak_rss_mb)
            run = replace(run, seconds_train=remembered.seconds, peak_rss_mb=peak)
        report.add(run)
        if told.on_run is not None:
            told.on_run(run)

    code = code_version()
    for part in opened.parts:
        run_protocol(
            replace(measurement, labels=part.labels, test=part.items),
            part.supports if arm.trained else (ZERO_SHOT,),
            seed=TRAIN_SEED,
            finished=report.finished,
            watcher=replace(told, on_run=on_run),
            code=code,
        )
    report.write()
    return report.report


def _require_supports(setting: Setting, task: Task, report: Report) -> None:
    """Refuse to add runs to those of support sets that look otherwise today."""
    if not report.runs:
        return
    known = {support.digest for support in setting.every_support(task).supports}
    changed = sorted({str(run.support) for run in report.runs if run.support_digest not in known})
    if changed:
        raise StudyError(
            f"The support sets {', '.join(changed)} have changed since they were measured. "
            "Measure again with --fresh."
        )


def open_arm(setting: Setting, arm: Arm) -> tuple[NerMethod, AdapterFiles, str]:
    """The method of an arm, the adapter it starts from, and the name of its base model.

    Raises:
        NerLoopError: If base model or adapter cannot be used, or a setting is unknown.
    """
    from model.methods import load_base_for, open_method, start_adapter

    source = setting.start_of(arm)
    settings = {**arm.settings, **setting.own_threads}
    if not arm.on_language_model:
        encoder = load_base_for(arm.method, setting.home, setting.encoder)
        own = open_method(arm.method, encoder, settings)
        return own, start_adapter(own, source), encoder.name
    base = load_base_for("cllmfs", setting.home, setting.base)
    settings = {**setting.settings, **settings}
    if arm.method == "full_tuning":
        from backend.studies.full_tuning import FullTuning
        from model.cllmfs.config import CllmfsConfig

        full = FullTuning(base, CllmfsConfig.from_json(settings))
        return full, start_adapter(full.plain, source), base.name
    method = open_method("cllmfs", base, settings)
    return method, start_adapter(method, source), base.name
