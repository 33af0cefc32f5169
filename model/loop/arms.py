"""Which arm a task belongs to: a pure hash, so known before the first pass and for ever."""

from __future__ import annotations

import hashlib
from typing import Final

HELD_OUT: Final = "held-out"
RANDOM: Final = "random"
ACTIVE: Final = "active"
RANDOM_SHARE: Final = 0.15


def held_out_share(tasks: int) -> float:
    """Share of tasks kept aside when a project of that many tasks is connected.

    The larger of 10 % and 30 documents' worth, at most 30 %.

    Args:
        tasks: Number of tasks in the project at that moment.

    Returns:
        Share in [0.1, 0.3].
    """
    return min(0.3, max(0.1, 30 / max(tasks, 1)))


def arm_of(salt: str, task_id: int, created_at: str, held_out: float) -> str:
    """The arm of a task.

    Args:
        salt: The project's secret salt, made once.
        task_id: Label Studio's task id.
        created_at: Label Studio's creation time of the task; any of its ISO spellings.
        held_out: The project's held-out share in [0, 1].

    Returns:
        ``held-out``, ``random`` or ``active``.
    """
    material = f"{salt}\x1f{task_id}\x1f{same_time(created_at)}".encode()
    draw = int.from_bytes(hashlib.sha256(material).digest()[:8], "big") / 2**64
    if draw < held_out:
        return HELD_OUT
    return RANDOM if draw < held_out + RANDOM_SHARE * (1 - held_out) else ACTIVE


def same_time(moment: str) -> str:
    """One spelling for one moment: Label Studio writes ``+00:00`` here and ``Z`` there."""
    return moment.strip().replace("+00:00", "Z")
