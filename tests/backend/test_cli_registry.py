"""The commands that work on the registry, run as a person would run them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backend.cli import main
from backend.cli.application import build
from model.errors import NerLoopError
from model.registry import aliases, projects, runs
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.registry.tables import Lane
from model.registry.tables_versions import AdapterVersion
from model.spans import Label, LabelSet

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "NERLOOP_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def registry(home: Path) -> Database:
    opened = Database(f"sqlite:///{home / 'nerloop.db'}")
    opened.upgrade()
    return opened


def add_project(registry: Database, ls_id: int, title: str = "Garden") -> int:
    """A connected project with version 0 served and version 1 as candidate."""
    adapter = BaseAdapter("cllmfs", "tiny", "b" * 64, "a" * 64, {"rank": 4})
    labels = LabelSet((Label("PER"),))
    uid, url = f"{ls_id}.1700000000", "http://ls"
    new = NewProject(uid, url, ls_id, title, "<View/>", labels, 0.0, adapter)
    with registry.begin() as session:
        project = projects.register(session, new)
        projects.set_connected(session, project.id, url)
        version = AdapterVersion(
            project_id=project.id,
            number=1,
            method="cllmfs",
            base_name="tiny",
            base_digest="b" * 64,
            artifact_digest="c" * 64,
            config={"rank": 4},
            report={"steps": 12},
        )
        session.add(version)
        session.flush()
        aliases.nominate(session, project.id, "cllmfs", version)
        return project.id


@pytest.fixture
def run(home: Path) -> Run:
    def call(*arguments: str) -> Result:
        return CliRunner().invoke(build(), [*arguments, "--home", str(home)])

    return call


def test_versions_list_as_table_and_json(run: Run, registry: Database) -> None:
    add_project(registry, 7)
    table = run("versions", "list").stdout.splitlines()
    assert table[0].split()[:2] == ["version", "state"]
    assert table[1].split()[:2] == ["1", "candidate"]
    assert table[2].split()[:2] == ["0", "served"]
    listed = json.loads(run("versions", "list", "--json").stdout)
    assert [(item["number"], item["state"]) for item in listed] == [(0, "served"), (1, "candidate")]
    assert listed[1]["name"] == "7.1"


def test_versions_show(run: Run, registry: Database) -> None:
    add_project(registry, 7)
    shown = run("versions", "show", "1").stdout
    assert "c" * 64 in shown
    assert "report: steps" in shown
    assert json.loads(run("versions", "show", "1", "--json").stdout)["config"] == {"rank": 4}
    missing = run("versions", "show", "9")
    assert isinstance(missing.exception, NerLoopError)
    assert "no version 9" in str(missing.exception)


def test_promote_then_rollback_with_reasons_in_the_audit(run: Run, registry: Database) -> None:
    project = add_project(registry, 7)
    assert run("promote", "1", "--reason", "better").stdout == "Version 7.1 is served now.\n"
    assert run("rollback", "--reason", "it was not").stdout == "Version 7.0 is served again.\n"
    with registry.read() as session:
        assert aliases.served(session, project).number == 0
        audit = [
            (row.outcome, row.to_version, row.reason, row.actor.endswith("(command line)"))
            for row in aliases.history(session, project)
        ]
    assert audit[:2] == [
        ("rolled-back", 0, "it was not", True),
        ("promoted", 1, "better", True),
    ]


def test_a_reason_is_required_and_nothing_moves_without(run: Run, registry: Database) -> None:
    project = add_project(registry, 7)
    for arguments in (("promote", "1"), ("promote", "1", "--reason", "  "), ("rollback",)):
        refused = run(*arguments)
        assert isinstance(refused.exception, NerLoopError)
        assert "--reason TEXT" in str(refused.exception)
    with registry.read() as session:
        assert aliases.served(session, project).number == 0


def test_an_unknown_version_and_nothing_to_roll_back(run: Run, registry: Database) -> None:
    add_project(registry, 7)
    assert "no version 5" in str(run("promote", "5", "--reason", "x").exception)
    assert "nothing to roll back" in str(run("rollback", "--reason", "x").exception)


def test_train_asks_and_wakes_the_courier(run: Run, registry: Database) -> None:
    project = add_project(registry, 7)
    with registry.read() as session:
        before = projects.by_id(session, project).dirty_seq
    assert "Asked for a training run of project 7" in run("train").stdout
    with registry.read() as session:
        assert session.get_one(Lane, (project, "cllmfs")).asked
        assert projects.by_id(session, project).dirty_seq == before + 1


def test_runs_list(run: Run, registry: Database) -> None:
    project = add_project(registry, 7)
    with registry.begin() as session:
        runs.request(session, project, "cllmfs", "asked for", None)
    assert "requested" in run("runs").stdout
    listed = json.loads(run("runs", "--json").stdout)
    assert [(item["state"], item["reason"]) for item in listed] == [("requested", "asked for")]


def test_the_project_must_be_named_when_there_are_several(run: Run, registry: Database) -> None:
    add_project(registry, 7, "Garden [demo]")
    add_project(registry, 8, "News")
    refused = str(run("versions", "list").exception)
    assert "7 (Garden [demo]), 8 (News)" in refused
    assert json.loads(run("versions", "list", "-p", "8", "--json").stdout)[0]["name"] == "8.0"
    assert "No project 9" in str(run("versions", "list", "-p", "9").exception)


def test_a_home_without_nerloop_is_left_as_it_is(run: Run, home: Path) -> None:
    refused = run("versions", "list")
    assert "There is no nerloop in" in str(refused.exception)
    assert list(home.iterdir()) == []


def test_no_project_yet(run: Run, registry: Database) -> None:
    assert "nerloop connect" in str(run("runs").exception)


def test_disconnect_forget_needs_no_label_studio(run: Run, registry: Database, home: Path) -> None:
    project = add_project(registry, 7)
    (home / "secrets").mkdir()
    token = home / "secrets" / f"{project}.json"
    token.write_text("{}")
    assert "is disconnected" in run("disconnect", "--forget").stdout
    assert not token.exists()
    with registry.read() as session:
        assert projects.connected(session) == []


def test_an_error_is_one_sentence_and_no_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nerloop", "versions", "list", "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("There is no nerloop in")
    assert said.err.count("\n") == 1
