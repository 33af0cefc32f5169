"""The record of a base model that a test has written."""

from __future__ import annotations

import json
from pathlib import Path


def write_record(folder: Path) -> Path:
    """Write `nerloop-base.json` for the weights in a folder; returns the folder."""
    from model.base.digest import tensors_digest

    weights = folder / "model.safetensors"
    record = {
        "name": folder.name,
        "digest": tensors_digest(weights),
        "bytes": weights.stat().st_size,
        "source": "random",
    }
    (folder / "nerloop-base.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
