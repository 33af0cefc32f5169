from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.studies.arms import Arm
from backend.studies.crossover import crossing
from backend.studies.definitions import STUDIES
from backend.studies.running import finished_runs
from backend.studies.study import Setting
from backend.studies.tasks import Task, open_task
from study_corpus import (
    QUICK,
    TASK,
    WEIGHTS,
    run,
    study_of,
    write_sources,
)
from tiny_encoder import write_tiny_encoder


def test_the_crossing_lies_between_two_rungs() -> None:
    """Differences -2 at 1 shot and +2 at 4 shots: half-way in log shots, at exp(log(4) / 2) = 2."""
    assert crossing([1, 4], [-2.0, 2.0]) == pytest.approx(2.0)
    assert crossing([1, 4, 16], [-1.0, -1.0, 3.0]) == pytest.approx(4 * 4 ** (1 / 4))
    assert crossing([3, 5], [0.0, 1.0]) == 3.0
    assert crossing([1, 2, 3], [-3.0, -2.0, -1.0]) is None


def test_all_weights_can_be_trained_and_leave_the_base_model_as_it_was(
    setting: Setting,
) -> None:
    from backend.studies.full_tuning import FullTuning
    from backend.studies.measuring import open_arm

    opened = open_task(TASK, setting.data, supports=1)
    method, start, _ = open_arm(setting, WEIGHTS)
    assert isinstance(method, FullTuning)
    plain, _, _ = open_arm(setting, Arm("plain", {"rate": 1e-3}))
    texts = [item.text for item in opened.items]
    plain.load("start", start)
    before = plain.predict(texts, opened.labels, adapter="start")
    method.load("start", start)
    assert method.predict(texts, opened.labels, adapter="start") == before
    fitted = method.fit(opened.supports[0].items, opened.labels, start=start, seed=1)
    again = method.fit(opened.supports[0].items, opened.labels, start=start, seed=1)
    assert fitted.files == again.files
    method.load("tuned", fitted.files)
    tuned = method.predict(texts, opened.labels, adapter="tuned")
    assert tuned != before
    assert method.predict(texts, opened.labels, adapter="start") == before


def test_full_tuning_learns_what_it_is_shown(setting: Setting) -> None:
    from backend.studies.measuring import open_arm

    settings = {**QUICK, "epochs": 60, "max_steps": 60, "contrast_weight": 0.0}
    opened = open_task(TASK, setting.data, supports=1)
    method, start, _ = open_arm(replace(setting, settings=settings), WEIGHTS)
    losses: list[float] = []
    method.fit(
        opened.supports[0].items,
        opened.labels,
        start=start,
        seed=1,
        on_step=lambda progress: losses.append(progress.loss),
    )
    assert losses[-1] < losses[0] / 10


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_sound(name: str) -> None:
    study = STUDIES[name]
    setting = Setting(Path(), Path())
    assert len({arm.name for arm in study.arms}) == len(study.arms)
    assert len({arm.slug for arm in study.arms}) == len(study.arms)
    assert len({task.name for task in study.tasks}) == len(study.tasks)
    assert study.arms[0].name in ("full", "ours")
    known = {arm.name for arm in study.arms}
    for arm in study.arms:
        setting.config(arm)
        assert arm.against is None or arm.against in known
    for group in {task.table for task in study.tasks}:
        sizes = {task.sentences for task in study.tasks if task.table == group}
        assert len(sizes) == 1
    for task, arm in study.cells():
        assert arm.trained or task.episodes is None
    files = {task.test for task in study.tasks if task.role == "development"}
    assert not any(file.startswith(("wnut17/", "gum/")) or "/test" in file for file in files)


ARMS = {arm.slug: arm for study in STUDIES.values() for arm in study.arms}


@pytest.mark.parametrize("slug", ARMS)
def test_every_arm_can_be_measured(slug: str, setting: Setting, tmp_path: Path) -> None:
    arm = ARMS[slug]
    small = replace(setting, supports=1, limit=2)
    if not arm.on_language_model:
        write_tiny_encoder(tmp_path / "encoder")
        write_sources(small, arm)
    if arm.method == "label_aware" and arm.trained:
        few = {"epochs": 1, "min_steps": 1, "max_steps": 1}
        arm = replace(arm, settings={**arm.settings, **few})
    run(study_of(arm), small)
    (own,) = finished_runs(small, TASK, arm)
    assert own.texts == 2
    assert (own.support is None) != arm.trained


def test_settings_are_chosen_on_development_data_alone() -> None:
    assert {task.role for task in STUDIES["weights"].tasks} == {"development"}


def test_equal_tasks_of_several_studies_are_one_task() -> None:
    known: dict[str, Task] = {}
    for study in STUDIES.values():
        for task in study.tasks:
            assert known.setdefault(task.name, task) == task
