"""A worker whose methods only remember, and a registry with one project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from model.loop.trigger import TriggerSettings
from model.method import AdapterFiles, Fitted, Progress
from model.methods import MethodEntry
from model.registry import projects, versions
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.projects import BaseAdapter, NewProject
from model.registry.tables_versions import Evaluation
from model.spans import AnnotatedText, Label, LabelSet
from remembering_method import RememberingMethod, remembered
from worker.context import Context
from worker.settings import WorkerSettings

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
BLANK = {"adapter_model.safetensors": b"", "adapter_config.json": b"{}"}
NOBODY = "redis://127.0.0.1:1/0"


class StandIn(RememberingMethod):
    """Remembers under a method's name, with the files an adapter must have."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.base_digest = name[0] * 64

    def fit(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText] = (),
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        made = super().fit(
            support, labels, start=start, seed=seed, held_out=held_out, on_step=on_step
        )
        return Fitted({**BLANK, **made.files}, made.config, made.report)


class Worker:
    """A worker's context with both methods, and a registry with one project."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.standins: dict[str, StandIn] = {}
        self.loaded: list[str] = []

        def entry(name: str) -> MethodEntry:
            def load(home: Path, base: str) -> Any:
                self.loaded.append(base)
                return cast("Any", base)

            def opened(base: Any, config: Any) -> StandIn:
                return self.standins.setdefault(name, StandIn(name))

            return MethodEntry(opened, lambda digest: None, load)

        known = {name: entry(name) for name in ("cllmfs", "label_aware")}
        monkeypatch.setattr("model.methods.METHODS", known)
        environ = {"NERLOOP_HOME": str(home), "REDIS_URL": NOBODY, "NERLOOP_TIME_SCALE": "0.01"}
        environ |= {"NERLOOP_BASE": "the-llm", "NERLOOP_ENCODER": "the-encoder"}
        home.mkdir()
        self.context = Context(WorkerSettings.from_environ(environ))
        self.database = self.context.database
        self.database.upgrade()
        self.project = self._registered("label_aware")

    def adapter(self, method: str) -> BaseAdapter:
        files = {**BLANK, **remembered({})}
        digest = self.context.artifacts.put({**files, "adapter_config.json": method.encode()})
        return BaseAdapter(method, f"base of {method}", method[0] * 64, digest, {})

    def _registered(self, method: str) -> int:
        new = NewProject("1.17", "http://ls", 1, "t", "<View/>", LABELS, 0.5, self.adapter(method))
        with self.database.begin() as session:
            made = projects.register(session, new)
            made.salt = "fixed"  # so that the same tasks are held out every time
            return made.id

    def annotate(
        self, count: int = 16, *, first: int = 1, min_shots: int = 5
    ) -> list[tuple[int, str]]:
        """Annotate new tasks from number ``first`` on; the runs their pass asks for."""
        tasks = []
        for n in range(first, first + count):
            note = SeenAnnotation(n, "t", f"c{n}", "gold", False, ((0, 3, "PER"),))
            tasks.append(SeenTask(n, "t", f"Ada said {n}", (note,)))
        tasks.append(SeenTask(9999, "t", "Ada is open", ()))
        with self.database.begin() as session:
            now = projects.by_id(session, self.project)
            read = PassInput(now.pass_no, now.dirty_seq, None, tasks)
            return list(apply_pass(session, self.project, read, TriggerSettings(min_shots)).runs)

    def evaluated(self) -> list[int]:
        """Numbers of the versions that were scored on held-out texts."""
        with self.database.read() as session:
            scored = {row.version_id for row in session.query(Evaluation)}
            listed = versions.versions(session, self.project)
            return [view.number for view in listed if view.id in scored]
