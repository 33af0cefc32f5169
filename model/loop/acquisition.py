"""What to ask next: uncertain texts first, with held-out and random tasks spread evenly between."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from model.loop.arms import ACTIVE


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task that may be asked for.

    Attributes:
        task_ref: Row of the registry.
        arm: ``held-out``, ``random`` or ``active``.
        score: The text's confidence in [0, 1].
    """

    task_ref: int
    arm: str
    score: float


def queue_scores(candidates: Sequence[Candidate], salt: str) -> dict[int, float]:
    """A place in the queue for each task, lowest first.

    Active tasks are placed by confidence, the least certain first (ties by task). The others get a
    place drawn from the salt, uniform in [0, 1): any prefix of the queue then holds each arm by its
    share, and neither the held-out nor the random arm depends on what a model thinks.

    Returns:
        Task -> score in [0, 1], as Label Studio sorts them.
    """
    active = sorted((c.score, c.task_ref) for c in candidates if c.arm == ACTIVE)
    places = {ref: index / len(active) for index, (_, ref) in enumerate(active)}
    for item in candidates:
        if item.arm != ACTIVE:
            digest = hashlib.sha256(f"{salt}\x1fqueue\x1f{item.task_ref}".encode()).digest()
            places[item.task_ref] = int.from_bytes(digest[:6], "big") / 2**48
    return {ref: round(place, 6) for ref, place in places.items()}
