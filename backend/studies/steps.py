"""The single steps of an arm's trainings, kept beside its report."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from itertools import pairwise

from backend.studies.arms import Arm
from backend.studies.measuring import TRAIN_SEED, open_arm
from backend.studies.step_rows import Steps
from backend.studies.study import Setting
from backend.studies.tasks import Task
from model.evaluation.runs import DIGITS
from model.method import Progress


def collect_steps(setting: Setting, task: Task, arm: Arm) -> None:
    """Train an arm once more on every support set and write what each step tells.

    Raises:
        NerLoopError: If data, base model or adapter cannot be used, or a training fails.
        OSError: If the file cannot be written.
    """
    opened = setting.opened(task)
    method, start, _ = open_arm(setting, arm)
    kept = []
    for support in opened.supports:
        told: list[tuple[Progress, float]] = []

        def on_step(progress: Progress, told: list[tuple[Progress, float]] = told) -> None:
            told.append((progress, time.monotonic()))

        began = time.monotonic()
        method.fit(support.items, opened.labels, start=start, seed=TRAIN_SEED, on_step=on_step)
        times = [began, *(moment for _, moment in told)]
        kept.append(
            Steps(
                str(support.name),
                tuple(round(own.loss, DIGITS) for own, _ in told),
                tuple(round(own.gradient_norm or 0.0, DIGITS) for own, _ in told),
                tuple(round(after - before, DIGITS) for before, after in pairwise(times)),
            )
        )
    path = setting.steps_path(task, arm)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(own) for own in kept]) + "\n", encoding="utf-8")
