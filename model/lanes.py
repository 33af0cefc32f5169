"""The methods a project may use: which queue and which base model each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from model.errors import NerLoopError

Queue = Literal["fast", "slow"]

QUEUES: Final[tuple[Queue, ...]] = ("fast", "slow")
"""Names of the queues; each has a worker of its own."""

DEFAULT_METHOD: Final = "cllmfs"


class UnknownLaneError(NerLoopError):
    """No project can use a method of that name."""


@dataclass(frozen=True, slots=True)
class LaneKind:
    """What the lanes of a method have in common, whatever the project.

    Attributes:
        method: Name of the method.
        queue: Where its runs wait: ``fast`` for encoders, whose fits take seconds, else ``slow``.
        base: The base model where nobody names another.
        base_variable: Environment variable that names another base model.
        adapter_variable: Environment variable that names the folder of another base adapter.
    """

    method: str
    queue: Queue
    base: str
    base_variable: str
    adapter_variable: str


LANES: Final[Mapping[str, LaneKind]] = MappingProxyType(
    {
        kind.method: kind
        for kind in (
            LaneKind("cllmfs", "slow", "smollm2-135m-q4", "NERLOOP_BASE", "NERLOOP_BASE_ADAPTER"),
            LaneKind(
                "label_aware", "fast", "minilm-l6", "NERLOOP_ENCODER", "NERLOOP_ENCODER_ADAPTER"
            ),
        )
    }
)
"""The methods of projects by name; those that are only measured are not among them."""


def lane_kind(method: str) -> LaneKind:
    """Queue and base model of a method.

    Raises:
        UnknownLaneError: If no project can use it.
    """
    if method not in LANES:
        raise UnknownLaneError(
            f"A project cannot use the method {method!r}. These can be used: {', '.join(LANES)}."
        )
    return LANES[method]


def queue_of(method: str) -> Queue:
    """The queue of a method's lane; ``slow`` for one that no project can use today."""
    return LANES[method].queue if method in LANES else "slow"
