"""What stands at the top of every page of a project, and what its forms need."""

from __future__ import annotations

from dataclasses import dataclass

from backend.pages.health import Notice, notices
from backend.pages.overview import title_of
from model.registry import aliases, predictions
from model.registry.session import Session
from model.registry.tables import Project

POLICIES = {
    "manual": "The gate advises; a person promotes.",
    "auto": "A version the gate says PROMOTE of is served by itself.",
    "serve-fast": "New versions of the fast lane are served without a gate.",
}
"""Who promotes, in a sentence each."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A project as its pages introduce it.

    Attributes:
        number: Its number in Label Studio.
        title: Its title, never empty.
        url: Where Label Studio shows it.
        served: Number of the version that is served.
        revision: Revision of the alias ``served``; a form sends it back.
        policy: Who promotes.
        policy_words: The same in a sentence.
        paused: Whether training by itself is switched off.
        may_decide: Whether whoever looks sees the forms.
        notices: What wants attention.
    """

    number: int
    title: str
    url: str
    served: int
    revision: int
    policy: str
    policy_words: str
    paused: bool
    may_decide: bool
    notices: tuple[Notice, ...]


def heading(session: Session, row: Project, may_decide: bool) -> Heading:
    """The head of a project's pages."""
    served = aliases.served(session, row.id)
    return Heading(
        number=row.ls_id,
        title=title_of(row),
        url=f"{row.url}/projects/{row.ls_id}",
        served=served.number,
        revision=served.revision,
        policy=row.policy,
        policy_words=POLICIES.get(row.policy, ""),
        paused=row.paused,
        may_decide=may_decide,
        notices=notices(row, predictions.trouble(session, served.version_id)),
    )
