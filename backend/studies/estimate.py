"""How long a study will take, before it begins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.studies.arms import PREDICTION_SETTINGS, Arm
from backend.studies.running import finished_runs, missing_runs
from backend.studies.study import Setting
from backend.studies.tasks import OpenTask, Task, open_task
from backend.studies.today import Today
from model.baselines.schedule import TaggerConfig
from model.cllmfs.config import CllmfsConfig

# Seconds measured on two cores of an AMD EPYC with AVX512-BF16 and the default base model. They
# only serve to say in advance how long a study will take.
START_SECONDS = 8.0
STEP_SECONDS = {"cllmfs": 0.6, "full_tuning": 3.0, "tagger": 0.12}
QUESTION_SECONDS = {"cllmfs": 0.007, "full_tuning": 0.007, "tagger": 0.001}
_ROW_FORMATS_SLOWDOWN = 3.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What is ahead.

    Attributes:
        runs: Runs not made yet.
        train_seconds: Seconds of their trainings, shared ones counted once.
        predict_seconds: Seconds of their predictions, and of starting.
    """

    runs: int
    train_seconds: float
    predict_seconds: float

    @property
    def minutes(self) -> float:
        """Minutes in all."""
        return (self.train_seconds + self.predict_seconds) / 60


def expected(
    cells: Sequence[tuple[Task, Arm]], setting: Setting, *, fresh: bool = False
) -> Expected:
    """Runs times seconds, for the runs that are missing.

    Seconds are means of the arm's finished runs on the task where there are some, else a rough
    estimate from the numbers of steps, sentences and labels.

    Args:
        cells: Tasks and arms.
        setting: Where and with what.
        fresh: Count finished runs too.

    Raises:
        StudyDataError: If the data folder lacks a file.
        ReportError: If a file of results is damaged.
    """
    runs, train, predict = 0, 0.0, 0.0
    opened: dict[str, OpenTask] = {}
    today = Today(setting)
    trained: set[tuple[str, str]] = set()
    for task, arm in cells:
        missing = setting.runs(task, arm) if fresh else missing_runs(setting, task, arm, today)
        if not missing:
            continue
        if task.name not in opened:
            opened[task.name] = open_task(
                task, setting.data, supports=setting.supports, limit=setting.limit
            )
        own_train, own_predict = _seconds(setting, task, arm, opened[task.name])
        runs += missing
        predict += START_SECONDS + missing * own_predict
        key = (_data_of(task), _training_of(arm))
        if arm.trained and (task.timed or arm.method != "cllmfs" or key not in trained):
            train += missing * own_train
            trained.add(key)
    return Expected(runs, train, predict)


def _seconds(setting: Setting, task: Task, arm: Arm, opened: OpenTask) -> tuple[float, float]:
    done = finished_runs(setting, task, arm)
    if done:
        return (
            statistics.fmean(run.seconds_train for run in done),
            statistics.fmean(run.seconds_predict for run in done),
        )
    texts = statistics.fmean(len(support.items) for support in opened.supports)
    settings = {**setting.settings, **arm.settings}
    slower = _ROW_FORMATS_SLOWDOWN if _unpacked(settings) else 1.0
    questions = len(opened.items) * len(opened.labels)
    predict = questions * QUESTION_SECONDS[arm.method] * slower
    return _steps(arm, settings, texts) * STEP_SECONDS[arm.method], predict


def _steps(arm: Arm, settings: dict[str, Any], texts: float) -> float:
    if arm.method == "tagger":
        tagger = TaggerConfig.from_json(dict(arm.settings))
        steps = tagger.epochs * math.ceil(texts / tagger.batch)
        return min(tagger.max_steps, max(tagger.min_steps, steps))
    config = CllmfsConfig.from_json(settings)
    steps = config.epochs * math.ceil(texts / config.batch)
    return min(config.max_steps, max(config.min_steps, steps))


def _unpacked(settings: dict[str, Any]) -> bool:
    return settings.get("packed") is False or settings.get("row_format") == "instruction_first"


def _data_of(task: Task) -> str:
    return f"{task.support}|{task.draw}|{task.shots}|{task.fold}"


def _training_of(arm: Arm) -> str:
    kept = {name: arm.settings[name] for name in arm.settings if name not in PREDICTION_SETTINGS}
    return Arm("", kept, arm.method, arm.source).slug
