"""The class for label-studio-ml, under stand-ins for the base classes of 1.0.9 and of 2.x."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backend.plugin import bridge
from backend.plugin.bridge import Bridge, BridgeError
from backend.settings import Settings
from model.method import AdapterFiles
from model.registry import projects
from model.registry.errors import UnknownProjectError
from model.registry.session import Database

CONFIG = """<View><Labels name="label" toName="text"><Label value="Person"/><Label value="Plant"/>
</Labels><Text name="text" value="$text"/></View>"""
UID = "3.1700000000"


class Old:
    """The constructor of 1.0.9."""

    def __init__(self, label_config: Any = None, train_output: Any = None, **kwargs: Any) -> None:
        self.label_config, self.train_output = label_config, train_output or {}
        self.hostname = kwargs.get("hostname", "")


class New:
    """The constructor of 2.x: it calls ``setup`` and keeps values for the process."""

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id, self.label_config = project_id or "", label_config
        self.kept: dict[str, str] = {}
        self.setup()

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def setup(self) -> None:
        raise NotImplementedError


@pytest.fixture
def home(
    tmp_path: Path,
    tiny_base: Path,
    tiny_adapter: AdapterFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name, content in tiny_adapter.items():
        (adapter / name).write_bytes(content)
    for name in ("DATABASE_URL", "REDIS_URL", "ML_SERVER_BASIC_AUTH_USER", "NERLOOP_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NERLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NERLOOP_BASE", str(tiny_base))
    monkeypatch.setenv("NERLOOP_BASE_ADAPTER", str(adapter))
    monkeypatch.setenv("BASIC_AUTH_USER", "label-studio")
    monkeypatch.setenv("BASIC_AUTH_PASS", "a-password-for-the-test")
    bridge.shared_bridge.cache_clear()
    yield tmp_path / "home"
    bridge.shared_bridge.cache_clear()


def backend_class(monkeypatch: pytest.MonkeyPatch, parent: type) -> Any:
    package, module = ModuleType("label_studio_ml"), ModuleType("label_studio_ml.model")
    vars(module)["LabelStudioMLBase"] = parent
    monkeypatch.setitem(sys.modules, "label_studio_ml", package)
    monkeypatch.setitem(sys.modules, "label_studio_ml.model", module)
    name = "backend.plugin.nerloop_ml_backend"
    monkeypatch.delitem(sys.modules, name, raising=False)
    loaded = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)
    return loaded.NerloopBackend


def tasks(*texts: str) -> list[dict[str, Any]]:
    return [
        {"id": number, "project": 3, "created_at": "2026-01-01T00:00:00Z", "data": {"text": text}}
        for number, text in enumerate(texts, start=1)
    ]


def events(home: Path) -> tuple[int, int]:
    """Events recorded for the project, and how often it was marked dirty."""
    database = Database(f"sqlite:///{home / 'nerloop.db'}")
    try:
        with database.read() as session:
            project = projects.by_uid(session, UID)
            assert project is not None
            return project.id, project.dirty_seq
    finally:
        database.close()


def test_under_1_0_9_it_predicts_by_the_project_of_the_tasks(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    made = backend_class(monkeypatch, Old)(label_config=CONFIG, train_output=None, hostname="x")
    with pytest.raises(UnknownProjectError, match=r"nerloop connect --project 3"):
        made.predict(tasks("Ada met Ben."))
    backend_class(monkeypatch, New)(UID, CONFIG).predict(tasks("Ada met Ben."))
    found = made.predict(tasks("Ada met Ben.", ""), login=None, password=None)
    assert [item["model_version"] for item in found] == ["3.0", "3.0"]
    assert all(isinstance(item["result"], list) for item in found)
    assert all(0 <= item["score"] <= 1 for item in found)


def test_under_2_x_it_tells_the_served_version(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    kind = backend_class(monkeypatch, New)
    assert kind(UID, CONFIG).kept == {}  # a project nobody has met yet
    made = kind(project_id=UID, label_config=CONFIG)
    found = made.predict(tasks("Ada met Ben."), context={"result": []})
    assert found[0]["model_version"] == "3.0"
    assert kind(UID, CONFIG).kept == {"model_version": "3.0"}


def test_fit_records_and_returns_at_once_under_both(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    project = {"id": 3, "created_at": "2023-11-14T22:13:20.000000Z"}
    annotation = {"id": 8, "task": 1, "updated_at": "2026-01-01T00:00:00Z", "result": []}
    data = {"annotation": annotation, "project": project, "task": {"id": 1}}
    old = backend_class(monkeypatch, Old)(label_config=CONFIG)
    # the project is introduced by a question, as Label Studio does
    backend_class(monkeypatch, New)(UID, CONFIG).predict(tasks("Ada met Ben."))
    _, before = events(home)
    given = {"event": "ANNOTATION_CREATED", "data": data, "job_id": "1", "workdir": "/x"}
    assert old.fit((), **given) == {}
    _, after = events(home)
    assert after == before + 1
    new = backend_class(monkeypatch, New)(UID, CONFIG)
    assert new.fit("START_TRAINING", {"project": project}, extra=1) == {}
    assert events(home)[1] == after + 1
    assert old.fit([]) == {}  # what its own command line does


def test_a_refusal_is_named(home: Path) -> None:
    inside = Bridge(Settings.from_environ(os.environ))
    with pytest.raises(BridgeError, match=r"/predict with 4\d\d"):
        inside.predict(tasks("x"), uid="../../etc", label_config=CONFIG, context=None)
