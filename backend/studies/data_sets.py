"""The tasks of the studies: which files of the data folder, with which support sets."""

from __future__ import annotations

from typing import get_args

from backend.studies.changes import Change
from backend.studies.tasks import FOLDS, Task

WNUT_1 = Task("wnut17-1shot", "wnut17/test.conll", support="support/wnut17/1shot")
WNUT_5 = Task("wnut17-5shot", "wnut17/test.conll", support="support/wnut17/5shot")
GUM_1 = Task("gum-1shot", "gum/test.conll", support="support/gum/1shot")
GUM_5 = Task("gum-5shot", "gum/test.conll", support="support/gum/5shot")
POLITICS_5 = Task(
    "politics-5shot",
    "crossner_politics/dev.conll",
    draw="crossner_politics/dev.conll",
    shots=5,
    role="development",
    # they are three times as long as wnut17's
    sentences=100,
)

COST = Task(
    "wnut17-5shot-cost",
    WNUT_5.test,
    support=WNUT_5.support,
    sentences=100,
    timed=True,
    supports=1,
)


def drawn(data: str, pool: str, shots: int) -> Task:
    """The test of a data set with support sets of so many shots, drawn from one of its files."""
    return Task(f"{data}-drawn-{shots}", f"{data}/test.conll", draw=f"{data}/{pool}", shots=shots)


def ladder(*rungs: int) -> tuple[Task, ...]:
    """wnut17 and gum with nested draws of growing numbers of shots."""
    pools = {"wnut17": "dev.conll", "gum": "train.conll"}
    return tuple(drawn(data, pool, shots) for data, pool in pools.items() for shots in rungs)


def changed_wnut() -> tuple[Task, ...]:
    """wnut17 with hurried test texts."""
    return tuple(
        Task(f"wnut17-5shot-{change}", WNUT_5.test, support=WNUT_5.support, change=change)
        for change in get_args(Change)
    )


def folds() -> tuple[Task, ...]:
    """Five folds of wnut17 without its test part, in one table."""
    return tuple(
        Task(
            f"wnut17-fold-{fold}",
            "wnut17/train.conll",
            draw="wnut17/dev.conll",
            shots=5,
            fold=fold,
            role="folds",
            group="wnut17 folds",
            supports=1,
        )
        for fold in range(FOLDS)
    )
