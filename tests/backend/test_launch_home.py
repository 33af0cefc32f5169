"""Home, secrets and the checks before a start."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from backend.launch import checks
from backend.launch.errors import AlreadyRunningError, DiskSpaceError, HomeError, PortTakenError
from backend.launch.home import Home
from backend.launch.product import command_environment, product_environment
from backend.launch.secrets import ensure_secrets, read_secrets
from backend.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home.at(tmp_path / "home")
    made.prepare()
    return made


def test_home_is_absolute_and_its_secrets_are_private(home: Home) -> None:
    assert home.root.is_absolute()
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700
    assert home.logs.is_dir()


def test_a_home_in_place_of_a_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match=r"--home FOLDER or NERLOOP_HOME"):
        Home.at(tmp_path / "file").prepare()


def test_a_second_start_names_the_process_of_the_first(home: Home) -> None:
    with home.locked():
        script = (
            "import sys; from backend.launch.home import Home\n"
            "from backend.launch.errors import AlreadyRunningError\n"
            "try:\n with Home.at(sys.argv[1]).locked(): pass\n"
            "except AlreadyRunningError as e: print(e)"
        )
        said = subprocess.run(
            [sys.executable, "-c", script, str(home.root)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert f"process {os.getpid()}" in said
    assert f"kill {os.getpid()}" in said
    with home.locked():  # free again
        pass


def test_the_lock_goes_with_a_killed_process(home: Home) -> None:
    script = (
        "import sys, time; from backend.launch.home import Home\n"
        "with Home.at(sys.argv[1]).locked():\n print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunningError), home.locked():
            pass
        holder.kill()
        holder.wait()
    with home.locked():
        pass


def test_secrets_are_made_once_private_and_hidden(home: Home) -> None:
    first = ensure_secrets(home)
    assert ensure_secrets(home) == first
    assert first.redis_password not in repr(first)
    for name in ("services.json", "admin.token"):
        path = home.secrets / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, name
    values = [first.auth_pass, first.admin_token, first.redis_password, first.label_studio_password]
    assert len(set(values)) == 4
    assert min(map(len, values)) >= 12


def test_a_command_finds_what_a_start_decided(home: Home) -> None:
    made = ensure_secrets(home)
    product_environment(home, 9191, "redis://x", made, {})
    settings = Settings.from_environ(command_environment(home, {}))
    assert settings.home == home.root
    assert settings.port == 9191
    assert settings.admin_token is not None
    assert settings.admin_token.reveal() == made.admin_token
    assert settings.basic_auth is not None
    assert settings.basic_auth.password.reveal() == made.auth_pass


def test_what_the_user_sets_wins_over_what_a_start_made(home: Home) -> None:
    made = ensure_secrets(home)
    own = {"BASIC_AUTH_USER": "me", "BASIC_AUTH_PASS": "my-own-password", "NERLOOP_PORT": "9292"}
    for environment in (
        command_environment(home, own),
        product_environment(home, 9292, "redis://x", made, own),
    ):
        settings = Settings.from_environ(environment)
        assert settings.basic_auth is not None
        assert settings.basic_auth.user == "me"
        assert settings.port == 9292


def test_a_stray_port_of_the_shell_moves_nothing(home: Home) -> None:
    stray = {"PORT": "1234", "HOST": "0.0.0.0", "PATH": "/bin"}
    environment = product_environment(home, 9090, "redis://x", ensure_secrets(home), stray)
    settings = Settings.from_environ(environment)
    assert (settings.host, settings.port) == ("127.0.0.1", 9090)
    assert environment["PATH"] == "/bin"


def test_an_own_admin_token_is_kept(home: Home) -> None:
    (home.secrets / "admin.token").write_text("my-own-token-of-choice\n")
    ensure_secrets(home)
    assert (home.secrets / "admin.token").read_text() == "my-own-token-of-choice\n"


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"auth_user": "x"})])
def test_damaged_secrets_are_named(home: Home, content: str) -> None:
    (home.secrets / "services.json").write_text(content)
    with pytest.raises(HomeError, match=r"services\.json cannot be read"):
        read_secrets(home)


def test_a_taken_port_is_refused_with_a_free_one_to_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert not checks.port_is_free(port)
        with pytest.raises(PortTakenError) as caught:
            checks.require_port(port, "Label Studio", "--port")
        said = str(caught.value)
        assert f"Port {port}, wanted for Label Studio" in said
        suggested = int(said.rstrip(".").rsplit("--port ", 1)[1])
        assert suggested != port
        assert checks.port_is_free(suggested)
    checks.require_port(port, "Label Studio", "--port")


def test_too_little_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, 2_500_000_000))
    missing = tmp_path / "not" / "there"
    checks.require_disk(missing, checks.UP_BYTES, "nerloop")
    with pytest.raises(DiskSpaceError, match=r"Only 2\.5 GB .* the demo needs 3\.0 GB"):
        checks.require_disk(missing, checks.DEMO_BYTES, "the demo")
    assert not missing.exists()
