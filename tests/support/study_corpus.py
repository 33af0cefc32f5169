"""A small corpus and the studies measured on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.studies.arms import Arm
from backend.studies.running import run_cells
from backend.studies.study import Setting, Study
from backend.studies.tasks import Task

NAMES = ("Ann", "Ben", "Cyd", "Dan", "Eva", "Fay", "Gus", "Hal", "Ina", "Jon")
PLACES = ("Oslo", "Rome", "Bonn", "Kiel", "Bern", "Riga", "Kyiv", "Cork", "Linz", "Graz")
QUICK = {"epochs": 1, "min_steps": 1, "max_steps": 2, "pull": 0.0}
TASK = Task("t", "corpus/test.conll", support="corpus/1shot", sentences=6)
LADDER = tuple(
    Task(f"t-drawn-{shots}", "corpus/test.conll", draw="corpus/pool.conll", shots=shots)
    for shots in (1, 2)
)
FULL, NO_CONTRAST = Arm("full"), Arm("no contrast", {"contrast_weight": 0.0})
ZERO, BAG = Arm("zero-shot", trained=False), Arm("bag", {"decoding": "bag"})
PLAIN = Arm("plain", {"epochs": 1, "min_steps": 2}, method="tagger")
WEIGHTS = Arm("all weights", {"rate": 1e-3}, method="full_tuning")


def conll(rows: list[tuple[str, str]]) -> str:
    """One sentence per name and place."""
    return "".join(
        f"{name}\tB-PER\nmet\tO\npeople\tO\nin\tO\n{place}\tB-LOC\n\n" for name, place in rows
    )


def write_corpus(data: Path) -> None:
    """Write `corpus/` with a test, a pool and four support sets into a folder."""
    (data / "corpus" / "1shot").mkdir(parents=True)
    (data / "corpus" / "labels.json").write_text('{"types": {"PER": "person", "LOC": "place"}}')
    pairs = [(name, place) for name in NAMES for place in PLACES]
    (data / "corpus" / "test.conll").write_text(conll(pairs[:8]))
    (data / "corpus" / "pool.conll").write_text(conll(pairs[8:]))
    for number in range(4):
        (data / "corpus" / "1shot" / f"{number}.conll").write_text(conll([pairs[50 + number]]))


def write_sources(setting: Setting, *arms: Arm) -> None:
    """Write an adapter that was never trained where each of the arms wants one of its source."""
    from backend.studies.measuring import open_arm

    for arm in arms:
        if (folder := Path(setting.start_of(arm))).name != "none":
            folder.mkdir(parents=True, exist_ok=True)
            _, files, _ = open_arm(setting, replace(arm, source=False))
            for name, content in files.items():
                (folder / name).write_bytes(content)


def study_of(*arms: Arm, tasks: tuple[Task, ...] = (TASK,), **more: Any) -> Study:
    """A study of some arms."""
    return Study("s", "S", "Why?", tasks, arms, **more)


def run(study: Study, setting: Setting, **options: Any) -> list[str]:
    """Measure what is missing; returns what is told."""
    lines: list[str] = []
    cells = study.cells()
    run_cells(cells, setting, told=lines.append, extra=study.extra, isolated=False, **options)
    return lines
