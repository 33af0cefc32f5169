"""What a measurement would have today: digests and settings that kept ones are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.studies.arms import Arm
from backend.studies.study import Setting
from backend.studies.tasks import OpenTask, StudyDataError, Task
from model.base.digest import file_digest
from model.base.load import base_identity
from model.errors import AdapterError, BaseModelError
from model.evaluation.digests import adapter_digest, items_digest
from model.evaluation.report import Report
from model.methods import FRESH, SHIPPED, adapter_files, method_entry


class Today:
    """Base model, base adapter, data and settings as they are now; files are read once.

    What cannot be read here, for example because the data folder lies on another machine, cannot
    be compared and is passed over: nothing could be measured with it either.

    Args:
        setting: Where and with what.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._opened: dict[str, OpenTask | None] = {}
        self._tests: dict[str, str] = {}
        self._bases: dict[str, str | None] = {}
        self._adapters: dict[tuple[str, str], str | None] = {}

    def differences(self, task: Task, arm: Arm, report: Report) -> list[str]:
        """What a kept measurement has otherwise than one made today would have.

        Args:
            task: Its data.
            arm: Its arm.
            report: What was measured.

        Raises:
            NerLoopError: If a setting is unknown or lies outside its range.
        """
        header, setting = report.header, self._setting
        config = setting.config(arm)
        told = _different(header.config, config)
        limit, asked = header.protocol.get("limit", 0), setting.sentences(task)
        if limit != asked:
            told.append(f"{limit} sentences instead of {asked}")
        expected = self._digests(task, arm, header.digests)
        known = {**header.digests, "sentences": header.sentences}
        if limit != asked:
            # other sentences are no news then
            expected.pop("sentences", None)
        told += [f"another {_WORDS[name]}" for name in expected if known[name] != expected[name]]
        unknown = self._unknown_supports(task, report)
        return [*told, *(f"another support set {name}" for name in unknown)]

    def missing(self, task: Task, arm: Arm, report: Report) -> int:
        """How many runs are not there yet; all of them where the measurement is an old one."""
        wanted = self._setting.runs(task, arm)
        if self.differences(task, arm, report):
            return wanted
        return max(0, wanted - len(report.runs))

    def _digests(self, task: Task, arm: Arm, known: Mapping[str, Any]) -> dict[str, str]:
        base = self._base(arm)
        found = {"base": base, "source_adapter": self._adapter(arm, base or str(known["base"]))}
        opened = self._task(task)
        if opened is not None:
            found["test"] = self._test(task)
            found["labels"] = opened.labels.digest
            found["sentences"] = items_digest(opened.items)
        return {name: digest for name, digest in found.items() if digest is not None}

    def _unknown_supports(self, task: Task, report: Report) -> list[str]:
        opened = self._task(task)
        if opened is None:
            return []
        sets = {support.digest for support in opened.supports}
        return [
            run.support for run in report.runs if run.support and run.support_digest not in sets
        ]

    def _base(self, arm: Arm) -> str | None:
        name = self._setting.base_of(arm)
        if name not in self._bases:
            try:
                self._bases[name] = base_identity(self._setting.home, name)[1]
            except BaseModelError:
                self._bases[name] = None
        return self._bases[name]

    def _adapter(self, arm: Arm, base: str) -> str | None:
        start = self._setting.start_of(arm)
        if start == FRESH:
            # a fresh one is determined by base model, settings and code
            return None
        method = "cllmfs" if arm.on_language_model else arm.method
        if (method, start) not in self._adapters:
            folder = method_entry(method).shipped(base) if start == SHIPPED else Path(start)
            self._adapters[method, start] = None if folder is None else _folder_digest(folder)
        return self._adapters[method, start]

    def _task(self, task: Task) -> OpenTask | None:
        if task.name not in self._opened:
            try:
                self._opened[task.name] = self._setting.every_support(task)
            except StudyDataError:
                self._opened[task.name] = None
        return self._opened[task.name]

    def _test(self, task: Task) -> str:
        if task.test not in self._tests:
            self._tests[task.test] = file_digest(self._setting.data / task.test)
        return self._tests[task.test]


_WORDS = {
    "base": "base model",
    "source_adapter": "base adapter",
    "test": "test file",
    "labels": "set of labels",
    "sentences": "choice of sentences",
}


def _different(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*known, *wanted} if known.get(name) != wanted.get(name))


def _folder_digest(folder: Path) -> str | None:
    try:
        return adapter_digest(adapter_files(folder))
    except AdapterError:
        return None
