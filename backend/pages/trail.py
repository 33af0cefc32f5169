"""The audit trail in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from model.registry.audit import overrode
from model.registry.tables_versions import AliasChange

PAGE = 100
"""Lines on a page."""

_DONE = {
    "promoted": "promoted version {to}",
    "rolled-back": "rolled back to version {to}",
    "nominated": "nominated version {to}",
    "pinned": "pinned version {to}",
    "unpinned": "unpinned version {to}",
    "archived": "archived version {to}",
    "condemned": "condemned version {to}",
    "deleted": "deleted the files of version {to}",
    "paused": "paused training",
    "resumed": "resumed training",
}
_WANTED = {
    "served": "serve version {to}",
    "pinned": "pin or unpin version {to}",
    "archived": "archive version {to}",
}


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One line of the audit.

    Attributes:
        at: When.
        actor: Who.
        deed: What, in a few words.
        before: Version served before, if the line is about serving.
        reason: Why, as given.
        refusal: Why it was refused; None if it was done.
        verdict: What the gate had last said of the version.
        override: Whether it went against that.
    """

    at: datetime
    actor: str
    deed: str
    before: int | None
    reason: str
    refusal: str | None
    verdict: str | None
    override: bool


def line(change: AliasChange) -> TrailLine:
    """A row of the audit in words."""
    refused = change.outcome == "refused"
    to = change.to_version
    if refused:
        wanted = _WANTED.get(change.alias, f"change {change.alias} of version {{to}}")
        deed = f"wanted to {wanted.format(to=to)}"
    elif change.alias == "policy":
        deed = f"set the policy to {change.outcome}"
    else:
        deed = _DONE.get(change.outcome, f"{change.outcome} version {{to}}").format(to=to)
    return TrailLine(
        at=change.at,
        actor=change.actor,
        deed=deed,
        before=change.from_version if change.alias == "served" else None,
        reason=change.reason,
        refusal=(change.refusal or "it was refused") if refused else None,
        verdict=change.verdict,
        override=overrode(change),
    )
