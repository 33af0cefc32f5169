"""What a lack of memory looks like, and letting go of what a failed pass holds."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def unless_short(work: Callable[[], T]) -> T | None:
    """The result of some work, or None where memory was short; then nothing of it is kept.

    Args:
        work: Its result must not be None.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        # The error holds the frames of the work, and these its tensors, until it is let go.
        error.__traceback__ = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def lacks_memory(error: Exception) -> bool:
    """Whether an error says that memory is short."""
    # On a CPU torch raises a bare RuntimeError that only its words tell apart.
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
