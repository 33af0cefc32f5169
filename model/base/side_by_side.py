"""Independent work side by side, each on its share of the CPU's threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def share_count(device: torch.device, most: int) -> int:
    """How many shares work is worth splitting into: one per CPU thread, at most ``most``.

    The products of small models are too small for several threads to share one, and between them
    lies much that only one thread can do. A GPU has one share.
    """
    if device.type != "cpu":
        return 1
    return max(1, min(torch.get_num_threads(), most))


def side_by_side(work: Sequence[Callable[[], T]]) -> list[T]:
    """Do several things at once; the results come in the order of the work.

    One thing alone is done here, with all threads. Modes of torch that belong to a thread, as
    ``inference_mode``, must be set by the work itself.

    Args:
        work: Functions that share nothing they change.

    Raises:
        Exception: What the first piece of work that failed raised, after all have ended.
    """
    if len(work) == 1:
        return [work[0]()]
    threads = torch.get_num_threads()
    own = max(1, threads // len(work))
    try:
        with ThreadPoolExecutor(
            len(work), initializer=torch.set_num_threads, initargs=(own,)
        ) as pool:
            futures = [pool.submit(piece) for piece in work]
        return [future.result() for future in futures]
    finally:
        # What new threads start with is one number for the whole process.
        torch.set_num_threads(threads)
