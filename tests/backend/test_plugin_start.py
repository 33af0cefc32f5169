"""The start command of label-studio-ml: its options, its requirements, its borrowed packages."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from backend.plugin import _wsgi
from backend.plugin.borrow import borrow
from model.errors import NerLoopError

PLUGIN = Path(_wsgi.__file__).parent


def environment(*arguments: str) -> dict[str, str]:
    return _wsgi.environment(_wsgi.parser().parse_args(arguments))


def test_options_of_label_studio_ml_become_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NERLOOP_HOME", "MODEL_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert environment() == {}
    assert environment("-p", "9191", "--host", "0.0.0.0", "--log-level", "WARNING") == {
        "NERLOOP_PORT": "9191",
        "NERLOOP_HOST": "0.0.0.0",
        "LOG_LEVEL": "WARNING",
    }
    assert environment("--debug", "--model-dir", "/data", "--check") == {
        "LOG_LEVEL": "DEBUG",
        "NERLOOP_HOME": "/data",
    }
    for option in ("--with", "--kwargs"):
        assert environment(option, "NERLOOP_MIN_SHOTS=10", "NERLOOP_BASE=a=b") == {
            "NERLOOP_MIN_SHOTS": "10",
            "NERLOOP_BASE": "a=b",
        }
    assert environment("--basic-auth-user", "me", "--basic-auth-pass", "my-password") == {
        "BASIC_AUTH_USER": "me",
        "BASIC_AUTH_PASS": "my-password",
    }


def test_model_dir_of_the_environment_is_the_home_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NERLOOP_HOME", raising=False)
    monkeypatch.setenv("MODEL_DIR", "/old/name")
    assert environment() == {"NERLOOP_HOME": "/old/name"}
    monkeypatch.setenv("NERLOOP_HOME", "/new/name")
    assert environment() == {"NERLOOP_HOME": "/new/name"}


@pytest.mark.parametrize("pair", ["NERLOOP_MIN_SHOTS", "=5"])
def test_a_setting_without_a_value_is_named(pair: str) -> None:
    with pytest.raises(NerLoopError, match=r"KEY=VAL"):
        environment("--with", pair)


def test_a_wrong_setting_ends_the_start_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NERLOOP_HOME", str(tmp_path))
    monkeypatch.setenv("NERLOOP_THREADS", "many")
    assert _wsgi.main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith("NERLOOP_THREADS is 'many'")
    assert said.count("\n") == 1


def test_app_is_made_when_a_server_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NERLOOP_HOME", str(tmp_path / "home"))
    assert "app" not in vars(_wsgi)
    assert not (tmp_path / "home").exists()
    assert isinstance(_wsgi.app, FastAPI)
    with pytest.raises(AttributeError):
        _ = _wsgi.application


def test_everything_is_pinned_and_the_web_stack_is_not_the_old_one() -> None:
    text = (PLUGIN / "requirements.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    assert pins["label-studio-ml"] == "1.0.9"
    assert int(pins["Flask"].split(".")[0]) >= 3
    assert int(pins["Werkzeug"].split(".")[0]) >= 3
    assert all(re.fullmatch(r"[\d.]+", version) for version in pins.values())


def test_borrowed_packages_come_after_the_own_ones(tmp_path: Path) -> None:
    theirs = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    ours = tmp_path / "ours"
    theirs.mkdir(parents=True)
    ours.mkdir()
    for folder in (theirs, ours):
        (folder / "both_have_it.py").write_text(f"folder = {str(folder)!r}\n")
    (theirs / "only_they.py").write_text("answer = 42\n")
    link = borrow(tmp_path / "venv", ours)
    script = tmp_path / "script.py"
    script.write_text(
        f"import site, sys; sys.path.insert(0, {str(ours)!r}); exec({link.read_text()!r})\n"
        "import both_have_it, only_they\nresult = both_have_it.folder, only_they.answer\n"
    )
    before = list(sys.path)
    try:
        assert runpy.run_path(str(script))["result"] == (str(ours), 42)
    finally:
        sys.path[:] = before
        for name in ("both_have_it", "only_they"):
            sys.modules.pop(name, None)
    with pytest.raises(SystemExit, match=r"no virtual environment"):
        borrow(tmp_path / "nothing", ours)
