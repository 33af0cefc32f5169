"""What a study is, and where it is made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from backend.studies.arms import Arm
from backend.studies.tasks import OpenTask, Task, open_task
from model.base.catalogue import DEFAULT_BASE
from model.baselines.schedule import TaggerConfig
from model.cllmfs.config import CllmfsConfig
from model.errors import NerLoopError
from model.methods import FRESH, SHIPPED

ENCODER = "minilm-l6"
EPISODES = Path("docs/experiments/episodes")
Extra = Literal["crossover", "representation", "objectives"]


class StudyError(NerLoopError):
    """The study cannot be made with these names or options."""


@dataclass(frozen=True, slots=True)
class Study:
    """Arms on tasks.

    Attributes:
        name: What the command calls it.
        title: Heading of its page.
        question: What it asks, one sentence.
        tasks: The data.
        arms: The arms; the first one is the reference the others are compared with.
        notes: What a reader must know beside the tables, one sentence or two each.
        extra: A further table that its page has.
        left_out: Pairs of an arm and a task that are not measured.
    """

    name: str
    title: str
    question: str
    tasks: tuple[Task, ...]
    arms: tuple[Arm, ...]
    notes: tuple[str, ...] = ()
    extra: Extra | None = None
    left_out: frozenset[tuple[str, str]] = frozenset()

    def cells(
        self, *, arms: Collection[str] = (), tasks: Collection[str] = ()
    ) -> list[tuple[Task, Arm]]:
        """The measurements of the study, or of some of its arms and tasks.

        Args:
            arms: Names of the arms wanted; empty for all.
            tasks: Names of the tasks wanted; empty for all.

        Raises:
            StudyError: If a name is unknown.
        """
        _known("arm", arms, [arm.name for arm in self.arms])
        _known("task", tasks, [task.name for task in self.tasks])
        return [
            (task, arm.with_overlaps() if task.overlaps else arm)
            for task in self.tasks
            for arm in self.arms
            if (not arms or arm.name in arms)
            and (not tasks or task.name in tasks)
            and (arm.name, task.name) not in self.left_out
        ]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and with what studies are made.

    Attributes:
        data: Folder of the data sets.
        out: Folder of the results: a file per task and arm, which several studies may share.
        home: The folder with nerloop's state, where the base models are.
        base: The language model.
        encoder: The encoder of all other methods.
        adapter: The base adapter of the language model: ``shipped`` or a folder.
        encoder_adapter: That of the label-aware method: ``shipped``, ``none`` or a folder.
        sources: Folder of the adapters of the other source stages, each under its method's name.
        episodes: Folder of sampled episodes; those it lacks are sampled.
        supports: Support sets used, at most; None for all that a task has.
        limit: Sentences scored; None for each task's own number.
        threads: CPU threads; None leaves torch's choice.
        settings: Settings of CLLMFS that all arms share, beneath their own.
    """

    data: Path
    out: Path
    home: Path = Path(".nerloop")
    base: str = DEFAULT_BASE
    encoder: str = ENCODER
    adapter: str = SHIPPED
    encoder_adapter: str = SHIPPED
    sources: Path = Path("sources")
    episodes: Path = EPISODES
    supports: int | None = None
    limit: int | None = None
    threads: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def report_path(self, task: Task, arm: Arm) -> Path:
        """The file of one measurement."""
        return self.out / task.name / f"{arm.slug}.json"

    def states_path(self, task: Task, arm: Arm) -> Path:
        """The file of the hidden states of one measurement."""
        return self.out / task.name / f"{arm.slug}.states.npz"

    def steps_path(self, task: Task, arm: Arm) -> Path:
        """The file of the single steps of the trainings of one measurement."""
        return self.out / task.name / f"{arm.slug}.steps.json"

    def kept_path(self, extra: Extra | None, task: Task, arm: Arm) -> Path | None:
        """What a study wants of one measurement beside its report; None for nothing."""
        if extra == "representation":
            return self.states_path(task, arm)
        return self.steps_path(task, arm) if extra == "objectives" else None

    def sentences(self, task: Task) -> int:
        """Sentences of a task that are scored, if it has as many."""
        return task.scored(self.limit)

    def opened(self, task: Task) -> OpenTask:
        """The files of a task.

        Raises:
            StudyDataError: If the data folder lacks a file.
            ConllError: If a file has another format, or nothing can be drawn.
        """
        return self._opened(task, self.supports)

    def every_support(self, task: Task) -> OpenTask:
        """The files of a task with all support sets that it ever has."""
        # fewer episodes are other sentences, so they are another measurement
        return self._opened(task, self.supports if task.episodes else None)

    def _opened(self, task: Task, supports: int | None) -> OpenTask:
        return open_task(
            task, self.data, supports=supports, limit=self.limit, episodes=self.episodes
        )

    def base_of(self, arm: Arm) -> str:
        """The base model of an arm."""
        return self.base if arm.on_language_model else self.encoder

    def start_of(self, arm: Arm) -> str:
        """The adapter an arm starts from: ``shipped``, ``none`` or a folder."""
        if not arm.from_source:
            return FRESH
        if arm.start:
            return str(self.sources / f"{arm.method}-{arm.start}")
        if arm.on_language_model:
            return self.adapter
        if arm.method == "label_aware":
            return self.encoder_adapter
        return str(self.sources / arm.method)

    def config(self, arm: Arm) -> dict[str, Any]:
        """The whole configuration of an arm as JSON.

        The number of threads is a setting as any other: it changes times, and sums in their last
        digits.

        Raises:
            NerLoopError: If a setting is unknown or lies outside its range.
        """
        own = {**arm.settings, **self.own_threads}
        if arm.on_language_model:
            return CllmfsConfig.from_json({**self.settings, **own}).to_json()
        if arm.method == "tagger":
            return asdict(TaggerConfig.from_json(own))
        if arm.method == "label_aware":
            from model.label_aware.config import LabelAwareConfig

            return LabelAwareConfig.from_json(own).to_json()
        # both load torch
        from model.baselines.recipes import RECIPES

        return RECIPES[arm.method].config.from_json(own).to_json()

    @property
    def own_threads(self) -> dict[str, Any]:
        """The setting ``threads`` where a number is asked for, else nothing."""
        return {} if self.threads is None else {"threads": self.threads}

    @property
    def trainings(self) -> Path:
        """Folder of the trained adapters that arms share; too large to be kept with the results."""
        return self.home / "study-trainings"

    def runs(self, task: Task, arm: Arm) -> int:
        """Runs wanted of an arm on a task."""
        return task.runs(self.supports) if arm.trained else 1


def left_out(arms: Collection[str], *tasks: Task) -> frozenset[tuple[str, str]]:
    """Every one of some arms on every one of some tasks, as :attr:`Study.left_out` names them."""
    return frozenset((arm, task.name) for arm in arms for task in tasks)


def _known(what: str, wanted: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise StudyError(
            f"The study has no {what} called {', '.join(unknown)}. It has: {', '.join(known)}."
        )
