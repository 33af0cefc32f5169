"""The comparison of methods: its systems and its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from backend.studies.arms import Arm
from backend.studies.data_sets import (
    AI_5,
    CROSSNER_POLITICS_5,
    FIN_5,
    GERMAN_5,
    GERMAN_NESTED_5,
    ZH_5,
    episodes,
)
from backend.studies.study import Study, left_out
from backend.studies.tasks import Task

Protocol = Literal["full", "quick", "episodes"]
FULL_SUPPORTS, EPISODES = 10, 200

CLLMFS = Arm("cllmfs")
LABEL_AWARE = Arm("label_aware", method="label_aware")
SEED_BASELINES: Final = ("protobert", "nnshot", "structshot", "container", "proml")
"""The baselines that the label-aware method is held against one by one."""

TRAINED = (
    CLLMFS,
    LABEL_AWARE,
    Arm("label_aware (faithful)", {"variant": "faithful"}, "label_aware"),
    Arm("tagger", method="tagger"),
    Arm("protobert", method="protobert"),
    Arm("nnshot", method="nnshot"),
    Arm("structshot", method="structshot"),
    Arm("container", method="container"),
    Arm("proml", method="proml"),
    Arm("tadner", method="tadner"),
    Arm("label_semantics", method="label_semantics"),
)
ZERO_SHOT = (
    Arm("cllmfs, zero-shot", trained=False),
    Arm("label_aware, zero-shot", method="label_aware", trained=False),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table.

    Attributes:
        task: Its data.
        protocol: ``full``: ten support sets, the whole test; ``quick``: three, 300 sentences;
            ``episodes``.
        title: What the page calls it.
        shots: 0 for zero-shot.
    """

    task: Task
    protocol: Protocol
    title: str
    shots: int

    @property
    def zero_shot(self) -> bool:
        """Whether nothing is trained."""
        return self.shots == 0


def _full(data: str, shots: int, apart: str = "") -> Column:
    task = Task(
        f"{data}-{shots}shot-full",
        f"{data}/test.conll",
        support=f"support/{data}/{shots}shot" if shots else "",
        sentences=0,
        supports=FULL_SUPPORTS,
        timed=True,
        apart=apart,
    )
    return Column(task, "full", f"{data}, {_shots(shots)}", shots)


def _quick(task: Task, title: str, shots: int = 5) -> Column:
    name = task.name if shots else task.name.replace("5shot", "0shot")
    return Column(
        Task(
            name,
            task.test,
            draw=task.draw if shots else "",
            shots=shots,
            timed=True,
            spaced=task.spaced,
            overlaps="nested" in task.name,
        ),
        "quick",
        f"{title}, {_shots(shots)}",
        shots,
    )


def _episodes(shots: int) -> Column:
    name = f"fewnerd_inter-5way-{shots}shot"
    task = episodes(name, "fewnerd_inter/test.conll", shots, EPISODES)
    title = f"fewnerd_inter episodes, 5-way {shots}~{2 * shots}"
    return Column(task, "episodes", title, shots)


def _shots(shots: int) -> str:
    return "zero-shot" if not shots else f"{shots} shot{'s' if shots > 1 else ''}"


_GUM_APART = "support/gum/5shot"
_SIDE = (
    (AI_5, "crossner_ai"),
    (CROSSNER_POLITICS_5, "crossner_politics"),
    (FIN_5, "fin"),
    (GERMAN_5, "uner_pud_de"),
    (ZH_5, "uner_zh"),
    (GERMAN_NESTED_5, "germeval14 nested"),
)

COLUMNS: Final = (
    _full("wnut17", 1),
    _full("wnut17", 5),
    _full("gum", 1, _GUM_APART),
    _full("gum", 5, _GUM_APART),
    *(_quick(task, title) for task, title in _SIDE),
    _episodes(1),
    _episodes(5),
    _full("wnut17", 0),
    _full("gum", 0, _GUM_APART),
    *(_quick(task, title, 0) for task, title in _SIDE),
)

TABLE: Final = Study(
    "methods",
    "Comparison of the methods",
    "Which method is best, measured here, on the same data, supports, encoder and scorer?",
    tuple(column.task for column in COLUMNS),
    (*TRAINED, *ZERO_SHOT),
    left_out=left_out(
        [arm.name for arm in ZERO_SHOT],
        *(column.task for column in COLUMNS if not column.zero_shot),
    )
    | left_out(
        [arm.name for arm in TRAINED],
        *(column.task for column in COLUMNS if column.zero_shot),
    ),
)
