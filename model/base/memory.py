"""How much memory is free, what a lack of it looks like, and letting go after a failed pass."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")

_MACHINE = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device) -> int | None:
    """Memory that a pass on this device may still take; None where the system does not tell.

    On a CPU it is what Linux calls available, or what is left to the control group if that is less.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = _MACHINE.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None
    try:
        limit = int((_GROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no group, or one without a limit
        return 1024 * free
    return min(1024 * free, max(0, limit - used))


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
