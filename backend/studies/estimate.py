"""How long a study will take, before it begins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.studies.arms import PREDICTION_SETTINGS, Arm
from backend.studies.running import finished_runs, missing_runs
from backend.studies.study import Setting
from backend.studies.tasks import OpenTask, Task
from backend.studies.today import Today
from model.baselines.schedule import TaggerConfig
from model.cllmfs.config import CllmfsConfig
from model.encoding.schedule import Schedule, steps_of

# Seconds measured on an AMD EPYC with AVX512-BF16 and the default base models: the language model
# on two cores, the encoder on one. They only serve to say in advance how long a study will take.
START_SECONDS = 8.0
STEP_SECONDS = {"cllmfs": 0.6, "full_tuning": 3.0}
QUESTION_SECONDS = 0.007
READING_SECONDS = {"label_aware": 0.025, "label_semantics": 0.035}
OTHER_READING_SECONDS = 0.03
WHOLE_WEIGHTS_SECONDS = 0.5
"""For a fit whose files hold all weights of the encoder."""
SENTENCE_SECONDS = {"label_aware": 0.0075, "proml": 0.01}
OTHER_SENTENCE_SECONDS = 0.005
READINGS = {"container": 10, "proml": 11, "tadner": 60}
"""How often these read a whole support set: they stop by its loss."""
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
    """What is ahead in all: the sum of :func:`expected_each`."""
    each = expected_each(cells, setting, fresh=fresh)
    return Expected(
        sum(own.runs for own in each),
        sum(own.train_seconds for own in each),
        sum(own.predict_seconds for own in each),
    )


def expected_each(
    cells: Sequence[tuple[Task, Arm]], setting: Setting, *, fresh: bool = False
) -> list[Expected]:
    """Runs times seconds, for the runs that are missing, of each task and arm.

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
    found: list[Expected] = []
    opened: dict[str, OpenTask] = {}
    today = Today(setting)
    trained: set[tuple[str, str]] = set()
    for task, arm in cells:
        missing = setting.runs(task, arm) if fresh else missing_runs(setting, task, arm, today)
        if not missing:
            found.append(Expected(0, 0.0, 0.0))
            continue
        if task.name not in opened:
            opened[task.name] = setting.opened(task)
        own_train, own_predict = _seconds(setting, task, arm, opened[task.name])
        train = 0.0
        key = (_data_of(task), _training_of(arm))
        if arm.trained and (task.timed or arm.method != "cllmfs" or key not in trained):
            train = missing * own_train
            trained.add(key)
        found.append(Expected(missing, train, START_SECONDS + missing * own_predict))
    return found


def _seconds(setting: Setting, task: Task, arm: Arm, opened: OpenTask) -> tuple[float, float]:
    done = finished_runs(setting, task, arm)
    if done:
        return (
            statistics.fmean(run.seconds_train for run in done),
            statistics.fmean(run.seconds_predict for run in done),
        )
    texts = statistics.fmean(len(own.items) for own in opened.supports) if opened.supports else 0.0
    asked = statistics.fmean(len(part.items) for part in opened.parts)
    if not arm.on_language_model:
        each = SENTENCE_SECONDS.get(arm.method, OTHER_SENTENCE_SECONDS)
        reading = READING_SECONDS.get(arm.method, OTHER_READING_SECONDS)
        # a LoRA is written in no time
        written = 0.0 if arm.method == "label_aware" else WHOLE_WEIGHTS_SECONDS
        return written + _readings(arm, texts) * reading, asked * each
    settings = {**setting.settings, **arm.settings}
    slower = _ROW_FORMATS_SLOWDOWN if _unpacked(settings) else 1.0
    labels = statistics.fmean(len(part.labels) for part in opened.parts)
    predict = asked * labels * QUESTION_SECONDS * slower
    return _steps(settings, texts) * STEP_SECONDS[arm.method], predict


def _readings(arm: Arm, texts: float) -> float:
    """How many texts a fit of an encoder method reads, each as often as it is read."""
    if arm.method == "tagger":
        schedule = TaggerConfig.from_json(dict(arm.settings)).schedule
    elif arm.method == "label_aware":
        from model.label_aware.config import LabelAwareConfig

        schedule = LabelAwareConfig.from_json(dict(arm.settings)).schedule
    elif arm.method == "label_semantics":
        from model.baselines.label_semantics import LabelSemanticsConfig

        config = LabelSemanticsConfig.from_json(dict(arm.settings))
        schedule = Schedule(config.epochs, config.batch, max_steps=config.max_steps)
    else:
        return READINGS.get(arm.method, 0) * texts
    return steps_of(schedule, texts) * min(schedule.batch, texts)


def _steps(settings: dict[str, Any], texts: float) -> float:
    config = CllmfsConfig.from_json(settings)
    steps = config.epochs * math.ceil(texts / config.batch)
    return min(config.max_steps, max(config.min_steps, steps))


def _unpacked(settings: dict[str, Any]) -> bool:
    return settings.get("packed") is False or settings.get("row_format") == "instruction_first"


def _data_of(task: Task) -> str:
    return f"{task.support}|{task.draw}|{task.shots}|{task.fold}|{task.episodes}"


def _training_of(arm: Arm) -> str:
    kept = {name: arm.settings[name] for name in arm.settings if name not in PREDICTION_SETTINGS}
    return replace(arm, settings=kept).slug
