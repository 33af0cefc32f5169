"""The command line itself: quick help, tokens that are never arguments, starts that are refused."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import connection_commands
from backend.cli.application import build
from backend.cli.connection_commands import NoTokenError, token_given
from model.errors import NerLoopError


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    script = (
        "import sys, contextlib; sys.argv = ['nerloop', '--help']\n"
        "from backend.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = {'torch', 'transformers', 'sqlalchemy', 'fastapi', 'label_studio_sdk', 'pandas'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    for command in ("up", "demo", "connect", "disconnect", "train", "versions", "promote", "runs"):
        assert f" {command} " in done.stdout
    assert took < 5  # well under 1 s on an idle machine


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(build(), ["--version"]).stdout.strip().count(".") == 2


def test_no_option_takes_a_token_or_password() -> None:
    for command in build().registered_commands:
        shown = CliRunner().invoke(build(), [str(command.name), "--help"]).stdout
        for word in ("--token ", "--api-key", "--password"):
            assert word not in shown, command.name


def test_where_a_token_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in connection_commands.TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    kept = tmp_path / "token"
    kept.write_text("from-file\n")
    assert token_given(kept) == "from-file"
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(NoTokenError, match=r"--token-file, or set LABEL_STUDIO_API_KEY"):
        token_given(None)
    monkeypatch.setenv("LABEL_STUDIO_ACCESS_TOKEN", "older-name")
    assert token_given(None) == "older-name"
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "newer-name")
    assert token_given(None) == "newer-name"
    assert token_given(kept) == "from-file"


@pytest.mark.parametrize("content", ["", "  \n", None])
def test_an_unusable_token_file_is_named(tmp_path: Path, content: str | None) -> None:
    kept = tmp_path / "token"
    if content is not None:
        kept.write_text(content)
    with pytest.raises(NoTokenError, match=str(kept)):
        token_given(kept)


@pytest.mark.parametrize(("command", "option"), [("up", "--backend-port"), ("demo", "--port")])
def test_a_taken_port_refuses_the_start_before_anything_runs(
    tmp_path: Path, command: str, option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        begun = time.monotonic()
        refused = CliRunner().invoke(
            build(), [command, option, port, "--home", str(tmp_path / "home")]
        )
    assert isinstance(refused.exception, NerLoopError)
    assert f"Port {port}" in str(refused.exception)
    assert option in str(refused.exception)
    assert time.monotonic() - begun < 10
    assert list((tmp_path / "home" / "logs").iterdir()) == []
