"""Which versions nobody needs any more: a pure rule over what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

KEPT_PER_LANE: Final = 10
"""So many of a lane's newest versions are kept, whatever became of them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What speaks for keeping a version.

    Attributes:
        number: The version.
        lane: Name of its method.
        needed: Whether it is a base adapter, pinned, named by an alias or by predictions that
            Label Studio holds, or the one a roll-back leads to.
        was_served: Whether it ever was served.
    """

    number: int
    lane: str
    needed: bool
    was_served: bool


def to_condemn(standings: Sequence[Standing], keep: int = KEPT_PER_LANE) -> Mapping[int, str]:
    """The versions that may go, by number, each with the reason.

    Args:
        standings: All versions of a project that are not condemned yet.
        keep: How many of a lane's newest are kept.
    """
    newer: dict[str, int] = {}
    reasons = {}
    for item in sorted(standings, key=lambda item: -item.number):
        after = newer.get(item.lane, 0)
        newer[item.lane] = after + 1
        if item.needed or after < keep:
            continue
        past = "served long ago" if item.was_served else "never served"
        reasons[item.number] = f"{past}, and {after} versions of {item.lane} are newer"
    return MappingProxyType(reasons)
