"""The base adapters that ship with nerloop: version 0 of every project."""

from __future__ import annotations

from pathlib import Path

from model.base.shipped import adapter_in

_FOLDER = Path(__file__).parent / "adapters"


def shipped_adapter(base_digest: str) -> Path | None:
    """The folder of the adapter made for a base model, or None.

    Args:
        base_digest: Digest of the base model's tensors.
    """
    return adapter_in(_FOLDER, base_digest)
