"""Whether the files of a version are still those that were published."""

from __future__ import annotations

import json
from collections.abc import Callable

from safetensors import SafetensorError, deserialize

from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError

_read_tensors: Callable[[bytes], object] = deserialize  # it comes without types, but without torch


def verify(store: ArtifactStore, digest: str) -> None:
    """Read an adapter as a loader would, and look into every file; nothing is kept.

    Args:
        store: Where adapters are.
        digest: Digest of its manifest.

    Raises:
        ArtifactError: If a byte differs from what was published, a file is missing or foreign, or
            one cannot be parsed.
    """
    for name, content in store.read(digest).items():
        try:
            _parse(name, content)
        except (ValueError, SafetensorError) as error:
            raise ArtifactError(
                f"{name} of adapter {digest[:12]} cannot be parsed: {error}"
            ) from error


def _parse(name: str, content: bytes) -> None:
    if name.endswith(".safetensors"):
        _read_tensors(content)
    elif not isinstance(json.loads(content), dict):
        raise ValueError("it holds no JSON object")
