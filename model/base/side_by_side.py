"""Independent work side by side, each on its share of the CPU's threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")

_TURN = threading.RLock()


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

    One thing alone is done here, with all threads. Calls from several threads come one after
    another. Modes of torch that belong to a thread, as ``inference_mode``, must be set by the work.

    Args:
        work: Functions that share nothing they change.

    Raises:
        Exception: What the first piece of work that failed raised, after all have ended.
    """
    if len(work) == 1:
        return [work[0]()]
    with _TURN:
        threads = torch.get_num_threads()
        ready = threading.Barrier(len(work) + 1)

        def alone(piece: Callable[[], T]) -> T:
            # A thread's first look at the number sets its own to that of the process.
            torch.get_num_threads()
            torch.set_num_threads(max(1, threads // len(work)))
            ready.wait()
            # Here the caller puts back what other new threads of the process start with.
            ready.wait()
            return piece()

        with ThreadPoolExecutor(len(work)) as pool:
            futures = [pool.submit(alone, piece) for piece in work]
            ready.wait()
            torch.set_num_threads(threads)
            ready.wait()
        return [future.result() for future in futures]
