"""The base adapters of the label-aware method that ship with nerloop."""

from __future__ import annotations

from pathlib import Path

from model.base.shipped import adapter_in


def shipped_adapter(base_digest: str) -> Path | None:
    """The folder of the adapter made for an encoder, or None.

    Args:
        base_digest: Digest of the encoder's tensors.
    """
    return adapter_in(Path(__file__).parent / "adapters", base_digest)
