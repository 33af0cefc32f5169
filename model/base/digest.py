"""Digests of base models: one over the tensors, one over plain files."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from model.errors import BaseModelError

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

_CHUNK = 1 << 22
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    kind: str
    shape: list[int]
    first: int
    last: int


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold a base model's weights: one, or the shards that its index names.

    Args:
        folder: A base model's folder.

    Returns:
        Paths sorted by name. The index itself is not among them.

    Raises:
        BaseModelError: If neither form is there, or the index is damaged or names a missing file.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return (folder / WEIGHTS_FILE,)
    if not (folder / INDEX_FILE).is_file():
        raise BaseModelError(f"There are no weights in {folder}: {WEIGHTS_FILE} is missing.")
    files = tuple(folder / name for name in sorted(set(weight_map(folder).values())))
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise BaseModelError(f"The base model in {folder} lacks {', '.join(missing)}.")
    return files


def weight_map(folder: Path) -> dict[str, str]:
    """The index of a sharded base model: for each tensor the name of its file.

    Raises:
        BaseModelError: If the index is damaged or a name in it leaves the folder.
    """
    path = folder / INDEX_FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        names = {str(tensor): str(file) for tensor, file in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaseModelError(f"{path} is damaged: {error}") from error
    wrong = [name for name in names.values() if Path(name).name != name or "\\" in name]
    if wrong or not names:
        raise BaseModelError(f"{path} names files that cannot be weights: {sorted(set(wrong))}.")
    return names


def folder_digest(folder: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256 over all tensors of a base model, in hex, however they are spread over files.

    Args:
        folder: A base model's folder.
        on_bytes: Called with the number of bytes hashed since the last call.

    Raises:
        BaseModelError: If a file is not readable as safetensors, or the files hold other tensors
            than the index says.
    """
    files = weight_files(folder)
    places = _places(files)
    if files[0].name != WEIGHTS_FILE:
        found = {name: place.path.name for name, place in places.items()}
        if found != weight_map(folder):
            raise BaseModelError(
                f"{folder / INDEX_FILE} and the files beside it do not name the same tensors."
            )
    return _digest(places, on_bytes)


def tensors_digest(path: Path) -> str:
    """SHA-256 over the tensors of one safetensors file, in hex.

    Hashed per tensor in the order of the sorted names: the JSON list ``[name, dtype, shape]``, then
    the raw bytes. Metadata and the order inside the file do not count.

    Raises:
        BaseModelError: If the file is not readable as safetensors.
    """
    return _digest(_places((path,)), None)


def _places(paths: tuple[Path, ...]) -> dict[str, _Place]:
    found: dict[str, _Place] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                entries, body = _header(file)
            for name, entry in entries.items():
                first, last = entry["data_offsets"]
                if name in found:
                    raise ValueError(f"two files hold tensor {name}")
                found[name] = _Place(
                    path, entry["dtype"], entry["shape"], body + first, body + last
                )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise _unreadable(path, error) from error
    return found


def _digest(places: dict[str, _Place], on_bytes: Callable[[int], None] | None) -> str:
    total = hashlib.sha256()
    for name in sorted(places):
        place = places[name]
        total.update(json.dumps([name, place.kind, place.shape]).encode())
        left = place.last - place.first
        try:
            with place.path.open("rb") as file:
                file.seek(place.first)
                while left > 0:
                    piece = file.read(min(left, _CHUNK))
                    if not piece:
                        raise ValueError(f"it ends inside tensor {name}")
                    total.update(piece)
                    left -= len(piece)
                    if on_bytes is not None:
                        on_bytes(len(piece))
        except (OSError, ValueError, TypeError) as error:
            raise _unreadable(place.path, error) from error
    return total.hexdigest()


def _unreadable(path: Path, error: Exception) -> BaseModelError:
    return BaseModelError(
        f"The weights in {path} cannot be read ({error}). Fetch the base model again."
    )


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _HEADER_LIMIT:
        raise ValueError("the header length is not plausible")
    entries = json.loads(file.read(length))
    entries.pop("__metadata__", None)
    return entries, 8 + length
