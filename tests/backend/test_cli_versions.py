"""The commands of an admin on a registry with a life behind it, as tables and as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from admin_registry import Seeded, seed
from backend.cli.application import build
from model.errors import NerLoopError
from model.registry import projects
from model.registry.session import Database
from registry_runs import condemn

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seeded]:
    """The file of a seeded registry, and what lies in it."""
    path = tmp_path_factory.mktemp("laid") / "nerloop.db"
    opened = Database(f"sqlite:///{path}")
    opened.upgrade()
    found = seed(opened)
    opened.close()
    return path, found


@pytest.fixture
def seeded(laid: tuple[Path, Seeded]) -> Seeded:
    return laid[1]


@pytest.fixture
def run(laid: tuple[Path, Seeded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on a copy of that registry, for its first project."""
    for name in ("DATABASE_URL", "NERLOOP_HOME"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(laid[0], tmp_path / "nerloop.db")

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(build(), [*arguments, "-p", "1", "--home", str(tmp_path)])

    return call


def shown(run: Run, *arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    return result.stdout


def told(run: Run, *arguments: str) -> Any:
    return json.loads(shown(run, *arguments, "--json"))


def refused(run: Run, *arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, NerLoopError), result.output
    return str(result.exception)


def test_the_list_shows_what_the_gate_says_and_with_what_certainty(
    run: Run, seeded: Seeded
) -> None:
    lines = shown(run, "versions", "list").splitlines()
    newest = next(line for line in lines if line.startswith(f"{seeded.candidate} "))
    listed = {item["number"]: item for item in told(run, "versions", "list")}
    verdict = listed[seeded.candidate]["verdict"]
    assert "PROMOTE" in newest
    assert f"{100 * verdict['delta']:+.1f} ({100 * verdict['low']:+.1f} to" in newest
    assert any("pinned" in line for line in lines if line.startswith("2 "))
    assert (listed[2]["pinned"], listed[3]["archived_reason"]) == (True, "the gate: REJECT")
    assert any(f"versions compare {seeded.served} {seeded.candidate}" in line for line in lines)


def test_one_version_is_shown_with_all_verdicts(run: Run) -> None:
    table = shown(run, "versions", "show", "3")
    assert "REJECT" in table
    assert "the gate: REJECT" in table
    version = told(run, "versions", "show", "3")
    assert [one["verdict"] for one in version["verdicts"]] == ["REJECT"]
    assert version["config"]["rank"] == 16


def test_two_versions_are_compared(run: Run, seeded: Seeded) -> None:
    pair = (str(seeded.served), str(seeded.candidate))
    table = shown(run, "versions", "compare", *pair, "--texts", "3")
    found = told(run, "versions", "compare", *pair)
    assert f"{found['fixed']} fixed, {found['broken']} broken" in table
    assert f"{len(found['changed']) - 3} more" in table
    first = found["changed"][0]
    assert any(line.startswith(f"{first['task_id']} ") for line in table.splitlines())
    assert "Both are version 1" in refused(run, "versions", "compare", "1", "1")
    assert "60 texts with 190 shots instead of 0 texts" in shown(
        run, "versions", "compare", "0", "5", "--texts", "0"
    )


def test_lineage_names_tasks_and_annotations(run: Run) -> None:
    found = told(run, "versions", "lineage", "1")
    assert len(found["items"]) == 12
    table = shown(run, "versions", "lineage", "1")
    assert str(found["items"][0]["annotation_id"]) in table
    assert "38 shots in 12 texts" in table


def test_a_version_without_its_files_is_neither_sound_nor_exported(
    run: Run, tmp_path: Path
) -> None:
    assert "cannot be read" in refused(run, "versions", "verify", "1")
    assert "cannot be read" in refused(run, "versions", "export", "1", str(tmp_path / "out"))


def test_marks_are_set_with_a_reason(run: Run) -> None:
    for word in ("pin", "unpin", "archive"):
        assert "--reason TEXT" in refused(run, "versions", word, "1")
    dry = shown(run, "versions", "archive", "1", "--reason", "old", "--dry-run")
    assert dry == "Version 1 would be archived; nothing was changed.\n"
    assert shown(run, "versions", "pin", "1", "-r", "paper") == "Version 1 is pinned now.\n"
    shown(run, "versions", "unpin", "1", "-r", "printed")
    shown(run, "versions", "archive", "1", "-r", "old")
    assert "base adapter" in refused(run, "versions", "archive", "0", "-r", "x")
    trail = [(line["alias"], line["outcome"]) for line in told(run, "audit", "--limit", "4")]
    assert trail == [
        ("archived", "refused"),
        ("archived", "archived"),
        ("pinned", "unpinned"),
        ("pinned", "pinned"),
    ]
    assert "base adapter" in shown(run, "audit", "--limit", "1")


def test_a_condemned_version_without_its_files_is_not_pinned(run: Run, tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path}/nerloop.db")
    with opened.read() as session:
        project = projects.by_label_studio(session, 1)
    condemn(opened, project, 1)
    opened.close()
    assert "version 1 are gone" in refused(run, "versions", "pin", "1", "-r", "paper")


def test_a_promotion_is_tried_repeated_and_guarded_by_the_revision(
    run: Run, seeded: Seeded
) -> None:
    promote = ("promote", str(seeded.candidate), "--reason", "better")
    dry = told(run, *promote, "--dry-run")
    assert (dry["from"], dry["to"], dry["dry_run"]) == (seeded.served, seeded.candidate, True)
    assert "would be served" in shown(run, *promote, "--dry-run")
    first = told(run, *promote, "--request-id", "click-1")
    assert told(run, *promote, "--request-id", "click-1") == first
    assert first["revision"] == dry["revision"]
    late = refused(run, "rollback", "--reason", "x", "--expected-revision", "0")
    assert "moved the alias first" in late
    assert "served again" in shown(run, "rollback", "--reason", "it was not")


def test_going_against_the_gate_is_told(run: Run) -> None:
    said = shown(run, "promote", "3", "--reason", "I know better")
    assert "The gate had said REJECT; this is kept as an override." in said
    assert "override" in shown(run, "audit", "--limit", "1")


def test_the_policy_is_shown_and_set(run: Run) -> None:
    assert "manual, a person promotes" in shown(run, "policy")
    assert "--reason TEXT" in refused(run, "policy", "auto")
    assert "auto" in shown(run, "policy", "auto", "--reason", "50 texts by now")
    assert "'fast'" in refused(run, "policy", "fast", "--reason", "x")
    shown(run, "pause", "--reason", "relabelling")
    assert told(run, "policy") == {"project": 1, "policy": "auto", "paused": True}
    assert "Training is paused" in shown(run, "policy")
    shown(run, "resume", "--reason", "done")
    assert [line["outcome"] for line in told(run, "audit", "--limit", "3")] == [
        "resumed",
        "paused",
        "auto",
    ]


def test_runs_are_listed_and_shown_with_their_log(run: Run, seeded: Seeded) -> None:
    assert shown(run, "runs") == shown(run, "runs", "list")
    assert len(told(run, "runs", "list", "--limit", "2")) == 2
    table = shown(run, "runs", "show", str(seeded.running))
    assert "still to go" in table
    assert "a worker took the run" in table
    found = told(run, "runs", "show", str(seeded.running))
    assert found["lines"][1]["step"] == 2
    assert found["seconds_left"] > 0
    assert "no run 99" in refused(run, "runs", "show", "99")


def test_a_number_no_column_can_hold_is_refused_by_the_command_line(run: Run) -> None:
    for arguments in (("versions", "show"), ("runs", "show"), ("promote",)):
        result = run(*arguments, str(2**70))
        assert (result.exit_code, "Invalid value" in result.output) == (2, True)


def test_reasons_and_request_ids_are_those_the_api_takes(run: Run) -> None:
    for given in ("x" * 101, "a\0b", "a b", ""):
        for command in ("promote", "versions pin", "versions archive"):
            said = refused(run, *command.split(), "1", "-r", "x", "--request-id", given)
            assert "1 to 100 characters" in said
    for reason in ("x" * 2001, "a\0b", "\udc80"):
        assert "at most 2000 characters" in refused(run, "promote", "1", "--reason", reason)
        assert "at most 2000 characters" in refused(run, "pause", "--reason", reason)
    assert not [line for line in told(run, "audit") if line["reason"] == "x"]
    shown(run, "promote", "1", "-r", "x" * 2000, "--request-id", "Z" * 100)
