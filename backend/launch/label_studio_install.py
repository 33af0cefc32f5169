"""Installs Label Studio into an environment of its own, and repairs an installation cut short."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.launch.errors import InstallError
from backend.launch.home import Home
from backend.launch.services import bare_environment

VERSION = "1.23.2"
VENV_VARIABLE = "LABEL_STUDIO_VENV"
_UNFINISHED = ".nerloop-unfinished"
_NETWORK_SIGNS = (
    "name resolution",
    "newconnectionerror",
    "connection refused",
    "network is unreachable",
    "timed out",
    "proxyerror",
    "no matching distribution",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where Label Studio is, or will be, installed.

    Attributes:
        folder: The virtual environment.
        ours: Whether nerloop made it, so may delete and rebuild it.
    """

    folder: Path
    ours: bool

    @classmethod
    def of(cls, home: Home, environ: Mapping[str, str]) -> Environment:
        """The folder named by ``LABEL_STUDIO_VENV``, else one inside the home."""
        named = environ.get(VENV_VARIABLE, "").strip()
        if named:
            return cls(Path(named).expanduser().absolute(), ours=False)
        return cls(home.label_studio / "venv", ours=True)

    @property
    def program(self) -> Path:
        """The ``label-studio`` command inside."""
        return self.folder / "bin" / "label-studio"

    @property
    def unfinished(self) -> bool:
        """Whether an installation of ours was begun here and never ended."""
        return (self.folder / _UNFINISHED).exists()

    @property
    def ready(self) -> bool:
        """Whether the right version is completely installed."""
        record = self.folder.glob(f"lib/python3*/site-packages/label_studio-{VERSION}.dist-info")
        return self.program.exists() and any(record) and not self.unfinished


def install(environment: Environment, detail: Callable[[str], None]) -> None:
    """Make the environment and install Label Studio, about a gigabyte; does nothing if ready.

    Args:
        environment: Where to.
        detail: Told what is being done.

    Raises:
        InstallError: If the folder belongs to something else, or pip fails.
    """
    if environment.ready:
        return
    folder = environment.folder
    if folder.exists() and any(folder.iterdir()):
        if not environment.ours and not environment.unfinished:
            raise InstallError(
                f"{VENV_VARIABLE} names {folder}, which is no environment with Label Studio "
                f"{VERSION}. Name an empty or new folder, or unset {VENV_VARIABLE}."
            )
        detail("removing an installation that was cut short")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _UNFINISHED).touch()
    except OSError as error:
        raise InstallError(f"{folder} cannot be written to: {error.strerror}.") from error
    detail("creating its environment")
    _run([sys.executable, "-m", "venv", str(folder)], lambda _: None)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input"]
    pip += ["--disable-pip-version-check", "--progress-bar", "off", f"label-studio=={VERSION}"]
    _run(pip, _PipLines(detail))
    (folder / _UNFINISHED).unlink()


class _PipLines:
    def __init__(self, detail: Callable[[str], None]) -> None:
        self._detail = detail
        self._count = 0

    def __call__(self, line: str) -> None:
        found = re.match(r"Collecting ([\w.-]+)", line)
        if found:
            self._count += 1
            self._detail(f"downloading {found[1]} (package {self._count} of about 160)")
        elif line.startswith("Installing collected"):
            self._detail("unpacking about 160 packages")


def _run(command: list[str], each_line: Callable[[str], None]) -> None:
    environment = bare_environment()
    # a private package index is configured by pip's own variables
    environment |= {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
    environment |= {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
    lines: list[str] = []
    try:
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    lines = [*lines[-60:], line.rstrip()]
                    each_line(line)
            except BaseException:
                process.kill()
                raise
    except OSError as error:
        raise InstallError(f"{command[0]} cannot be run: {error.strerror}.") from error
    if process.returncode:
        raise InstallError(_why(lines))


def _why(lines: list[str]) -> str:
    text = "\n".join(lines).lower()
    if "no space left" in text:
        return (
            "Label Studio could not be installed: the disk is full. Make room (it needs about "
            "1 GB) and start again; the next start cleans up."
        )
    if any(sign in text for sign in _NETWORK_SIGNS):
        return (
            "Label Studio could not be installed: the package index cannot be reached. Check the "
            "network (or set PIP_INDEX_URL to a mirror) and start again, or point "
            f"{VENV_VARIABLE} at an environment that has label-studio=={VERSION}."
        )
    errors = [line for line in lines if "error" in line.lower()] or lines or ["no output"]
    return f"Label Studio could not be installed; pip says: {errors[-1].strip()[:300]}"


def main() -> None:
    """Install into ``LABEL_STUDIO_VENV``, or the home's own folder, with a line per step."""
    from rich.console import Console

    from backend.launch.home import DEFAULT_HOME, HOME_VARIABLE
    from backend.launch.steps import Steps

    home = Home.at(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
    environment = Environment.of(home, os.environ)
    if environment.ready:
        return
    try:
        with Steps(Console()).step(f"Installing Label Studio {VERSION}") as detail:
            install(environment, detail)
    except InstallError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
