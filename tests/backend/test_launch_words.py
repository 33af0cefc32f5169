"""What a start says: progress, news from the registry, guidance."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from backend.launch import steps as steps_module
from backend.launch.guidance import admin_pages, after_demo, after_up, command_line
from backend.launch.home import Home
from backend.launch.news import ProjectSeen, RunSeen, news
from backend.launch.steps import Steps


def test_a_step_in_a_log_is_two_lines_and_shows_life_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps_module, "PLAIN_SECONDS", 0.05)
    out = io.StringIO()
    with Steps(Console(file=out)).step("Installing [1]") as detail:
        detail("package 7")
        time.sleep(0.2)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Installing [1] ..."
    assert "  ... Installing [1]: package 7 (0 s)" in lines
    assert lines[-1].startswith("done: Installing [1]")


def test_a_failing_step_is_not_called_done() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError, match="no"), Steps(Console(file=out)).step("Database"):
        raise ValueError("no")
    assert "done" not in out.getvalue()


def test_a_terminal_gets_a_spinner_and_a_tick() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with Steps(console).step("Redis"):
        time.sleep(0.15)
    assert "✓ Redis" in out.getvalue()


def test_news_of_a_run_from_start_to_waiting_version_to_promotion() -> None:
    quiet = ProjectSeen("Garden", served=0)
    asked = ProjectSeen("Garden", 0, runs={4: RunSeen("requested", "5 new shots")})
    running = ProjectSeen("Garden", 0, runs={4: RunSeen("running", "5 new shots")})
    ended = ProjectSeen("Garden", 0, 1, {4: RunSeen("succeeded", "5 new shots", "version")})
    promoted = ProjectSeen("Garden", 1, None, ended.runs)
    assert news({}, {7: running}, "nerloop") == []  # at first sight only what waits is told
    assert news({}, {7: ended}, "nerloop") == [
        'version 7.1 waits for you: nerloop promote 1 --reason "..."'
    ]
    assert news({7: quiet}, {7: quiet}, "nerloop") == []
    assert news({7: quiet}, {7: asked}, "nerloop") == [
        "training run 4 of project 7 waits its turn (5 new shots)"
    ]
    assert news({7: asked}, {7: running}, "nerloop") == [
        "training run 4 of project 7 started (5 new shots)"
    ]
    assert news({7: running}, {7: ended}, "X nerloop") == [
        "training run 4 of project 7 ended: version",
        'version 7.1 waits for you: X nerloop promote 1 --reason "..."',
    ]
    assert news({7: ended}, {7: promoted}, "nerloop") == ["version 7.1 is served now"]


def test_news_of_a_failure_and_of_trouble() -> None:
    before = ProjectSeen("Garden", 0)
    failed = RunSeen("failed", "asked for", "nothing to learn from")
    after = ProjectSeen("Garden", 0, runs={9: failed}, trouble="The token is refused.")
    assert news({7: before}, {7: after}, "nerloop") == [
        "training run 9 of project 7 failed: nothing to learn from",
        "project 7: The token is refused.",
    ]
    assert news({7: after}, {7: before}, "nerloop") == ["project 7: all is well again"]


def test_news_names_the_project_when_there_are_several() -> None:
    before = {7: ProjectSeen("A", 0), 8: ProjectSeen("B", 0)}
    after = {7: ProjectSeen("A", 0), 8: ProjectSeen("B", 0, 3)}
    assert news(before, after, "nerloop") == [
        'version 8.3 waits for you: nerloop promote 3 --project 8 --reason "..."'
    ]


def test_the_command_shown_works_from_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nonexistent")
    program = str(tmp_path / ".venv" / "bin" / "nerloop")
    assert command_line(Home.at(".nerloop"), program) == ".venv/bin/nerloop"
    other = Home.at("/srv/nerloop")
    assert command_line(other, program) == "NERLOOP_HOME=/srv/nerloop .venv/bin/nerloop"
    assert command_line(Home.at(".nerloop"), "/opt/v/bin/nerloop") == "/opt/v/bin/nerloop"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nerloop").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert command_line(Home.at(".nerloop"), str(folder / "nerloop")) == "nerloop"


def test_the_last_lines_hold_address_user_password_and_the_promote_command(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    pages = admin_pages(9090)
    lines = after_demo(
        "http://127.0.0.1:8080",
        3,
        "s3cret",
        ".venv/bin/nerloop",
        home,
        admin_url=pages,
        admin_password="0ther",
    )
    text = "\n".join(lines)
    assert "ready: http://127.0.0.1:8080/projects/3/data " in text
    assert "admin@example.com" in text
    assert "s3cret" in text
    assert "admin: http://127.0.0.1:9090/admin  (user admin, password 0ther)" in text
    assert ".venv/bin/nerloop promote 1 --reason" in text
    alone = "\n".join(after_up(9090, "nerloop", home))
    assert "ready: http://127.0.0.1:9090\n" in alone
    assert "admin: http://127.0.0.1:9090/admin\n" in alone
    assert "nerloop admin add NAME --role admin" in alone
    assert "nerloop connect --url" in alone
