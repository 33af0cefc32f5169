"""What an error is called in a run's row."""

from __future__ import annotations

from model.errors import (
    AdapterError,
    BaseModelError,
    DivergedError,
    OutOfMemoryError,
    TrainingDataError,
)
from model.registry.errors import ArtifactError

FAILURES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((TrainingDataError,), "data"),
    ((MemoryError, OutOfMemoryError), "memory"),
    ((DivergedError,), "diverged"),
    ((ArtifactError, AdapterError, BaseModelError, OSError), "storage"),
)


def failure_kind(error: Exception) -> str:
    """What an error is called in the run's row: data, memory, diverged, storage or bug."""
    for types, kind in FAILURES:
        if isinstance(error, types):
            return kind
    # torch tells a full memory by a RuntimeError, on the CPU by its words alone
    if isinstance(error, RuntimeError) and "memory" in str(error).lower():
        return "memory"
    return "bug"
