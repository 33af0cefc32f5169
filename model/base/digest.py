"""Digests of base models: one over the tensors, one over plain files."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

from model.errors import BaseModelError

_CHUNK = 1 << 22
_HEADER_LIMIT = 100_000_000


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors_digest(path: Path) -> str:
    """SHA-256 over the tensors of a safetensors file, in hex.

    Hashed per tensor in the order of the sorted names: the JSON list ``[name, dtype, shape]``, then
    the raw bytes. Metadata and the order inside the file do not count.

    Raises:
        BaseModelError: If the file is not readable as safetensors.
    """
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            entries, body = _header(file)
            for name in sorted(entries):
                entry = entries[name]
                identity = [name, entry["dtype"], entry["shape"]]
                total.update(json.dumps(identity).encode())
                first, last = entry["data_offsets"]
                file.seek(body + first)
                left = last - first
                while left:
                    piece = file.read(min(left, _CHUNK))
                    if not piece:
                        raise BaseModelError(f"The file {path} ends inside tensor {name}.")
                    total.update(piece)
                    left -= len(piece)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise BaseModelError(
            f"The weights in {path} cannot be read ({error}). Fetch the base model again."
        ) from error
    return total.hexdigest()


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _HEADER_LIMIT:
        raise ValueError("the header length is not plausible")
    entries = json.loads(file.read(length))
    entries.pop("__metadata__", None)
    return entries, 8 + length
