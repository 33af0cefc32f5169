"""Adapters that ship with a method, by the digest of their base model."""

from __future__ import annotations

import json
from pathlib import Path


def adapter_in(folder: Path, base_digest: str) -> Path | None:
    """The folder of the adapter made for a base model, or None.

    Args:
        folder: Holds one folder per adapter.
        base_digest: Digest of the base model's tensors.
    """
    for origin in sorted(folder.glob("*/nerloop.json")):
        if json.loads(origin.read_text(encoding="utf-8")).get("base_digest") == base_digest:
            return origin.parent
    return None
