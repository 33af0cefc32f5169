"""The base adapters that ship with nerloop: version 0 of every project."""

from __future__ import annotations

import json
from pathlib import Path

_FOLDER = Path(__file__).parent / "adapters"


def shipped_adapter(base_digest: str) -> Path | None:
    """The folder of the adapter made for a base model, or None.

    Args:
        base_digest: Digest of the base model's tensors.
    """
    for origin in sorted(_FOLDER.glob("*/nerloop.json")):
        if json.loads(origin.read_text(encoding="utf-8")).get("base_digest") == base_digest:
            return origin.parent
    return None
