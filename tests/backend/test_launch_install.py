"""Installing Label Studio, with a stand-in for Python that pretends to be venv and pip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backend.launch import label_studio
from backend.launch.errors import InstallError
from backend.launch.home import Home
from backend.launch.label_studio import label_studio_service
from backend.launch.label_studio_install import VERSION, Environment, install
from backend.launch.secrets import LocalSecrets

PIP = """#!/bin/sh
if [ "$2" = venv ]; then
  mkdir -p "$3/bin" "$3/lib/python3.11/site-packages" && cp "$0" "$3/bin/python"; exit
fi
echo "$@" >> "{calls}"
{behaviour}
"""
WORKS = """
echo "Collecting label-studio==1.23.2"; echo "Collecting django<6"
echo "Installing collected packages: django, label-studio"
bin="$(dirname "$0")"
touch "$bin/label-studio"
mkdir "$bin/../lib/python3.11/site-packages/label_studio-{version}.dist-info"
""".replace("{version}", VERSION)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, calls: Path, behaviour: str) -> None:
    program = tmp_path / "python"
    program.write_text(PIP.replace("{calls}", str(calls)).replace("{behaviour}", behaviour))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment.of(Home.at(tmp_path / "home"), {})


def test_the_named_environment_is_used_and_ours_is_the_default(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    assert Environment.of(home, {}) == Environment(tmp_path / "label-studio" / "venv", ours=True)
    named = Environment.of(home, {"LABEL_STUDIO_VENV": str(tmp_path / "shared")})
    assert named == Environment(tmp_path / "shared", ours=False)


def test_install_is_done_once_and_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, calls: Path, environment: Environment
) -> None:
    pretend(monkeypatch, tmp_path, calls, WORKS)
    said: list[str] = []
    install(environment, said.append)
    assert environment.ready
    assert said == [
        "creating its environment",
        "downloading label-studio (package 1 of about 160)",
        "downloading django (package 2 of about 160)",
        "unpacking about 160 packages",
    ]
    install(environment, said.append)
    assert len(calls.read_text().splitlines()) == 1


def test_an_installation_cut_short_is_done_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, calls: Path, environment: Environment
) -> None:
    pretend(monkeypatch, tmp_path, calls, WORKS + "exit 3")
    with pytest.raises(InstallError):
        install(environment, lambda _: None)
    assert environment.program.exists()
    assert not environment.ready  # although every file is there
    leftover = environment.folder / "leftover"
    leftover.touch()
    pretend(monkeypatch, tmp_path, calls, WORKS)
    install(environment, lambda _: None)
    assert environment.ready
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "Could not find a version: NewConnectionError: Temporary failure in name resolution",
            r"package index cannot be reached.*LABEL_STUDIO_VENV",
        ),
        ("ERROR: No matching distribution found for label-studio", r"cannot be reached"),
        ("OSError: [Errno 28] No space left on device", r"disk is full"),
        ("ERROR: something strange", r"pip says: ERROR: something strange"),
    ],
)
def test_a_failing_pip_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    calls: Path,
    environment: Environment,
    output: str,
    sentence: str,
) -> None:
    pretend(monkeypatch, tmp_path, calls, f"echo '{output}'; exit 1")
    with pytest.raises(InstallError, match=sentence) as caught:
        install(environment, lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_folder_of_somebody_else_is_never_deleted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, calls: Path
) -> None:
    pretend(monkeypatch, tmp_path, calls, WORKS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    named = Environment.of(Home.at(tmp_path), {"LABEL_STUDIO_VENV": str(tmp_path / "mine")})
    with pytest.raises(InstallError, match=r"LABEL_STUDIO_VENV names .*mine"):
        install(named, lambda _: None)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_label_studio_gets_its_secrets_by_environment_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: Environment
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_BASE_DATA_DIR", "/stray")
    monkeypatch.setenv("HOST", "stray.example")
    home = Home.at(tmp_path / "home")
    home.prepare()
    secrets = LocalSecrets(label_studio_password="pass-of-demo", label_studio_token="f" * 40)
    service = label_studio_service(home, environment, 8080, secrets)
    line = " ".join(service.command)
    assert "pass-of-demo" not in line
    assert "f" * 40 not in line
    assert service.environment["LABEL_STUDIO_PASSWORD"] == "pass-of-demo"
    assert service.environment["ML_BLOCK_LOCAL_IP"] == "false"
    assert service.environment["SSRF_PROTECTION_ENABLED"] == "false"
    assert service.environment["LABEL_STUDIO_BASE_DATA_DIR"] == str(home.label_studio / "data")
    assert "HOST" not in service.environment
    assert "pass-of-demo" not in repr(service)


def test_data_of_a_first_start_cut_short_is_removed_and_other_data_is_kept(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.prepare()
    data = label_studio.data_folder(home)
    (data / "label_studio.sqlite3").touch()
    label_studio.data_folder(home)
    assert not (data / "label_studio.sqlite3").exists()
    (data / "label_studio.sqlite3").touch()
    (data / ".nerloop-ready").touch()
    label_studio.data_folder(home)
    assert (data / "label_studio.sqlite3").exists()
