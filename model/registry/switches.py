"""How a project is run: its policy and whether it trains; every change in the audit."""

from __future__ import annotations

from sqlalchemy.orm import Session

from model.registry import aliases, audit, projects
from model.registry.audit import Move
from model.registry.tables import Project


def set_policy(
    session: Session, project_id: int, policy: str, *, actor: str, reason: str
) -> Project:
    """Say who decides from now on which version is served.

    Args:
        session: An open write transaction.
        project_id: The project.
        policy: ``manual``, ``auto`` or ``serve-fast``.
        actor: Who decides.
        reason: Why; not blank.

    Returns:
        The project as it is now.

    Raises:
        RegistryError: If there is no such policy, or the reason is blank.
    """
    before = projects.by_id(session, project_id).policy
    move = Move(project_id, "policy", None, actor, reason, policy)
    audit.require_reason(move)
    projects.set_policy(session, project_id, policy)
    if policy != before:
        _note(session, move)
    return projects.by_id(session, project_id)


def set_paused(
    session: Session, project_id: int, paused: bool, *, actor: str, reason: str
) -> Project:
    """Stop a project's training, or allow it again; a run asked for meanwhile waits until then.

    Args:
        session: An open write transaction.
        project_id: The project.
        paused: Whether it is to rest.
        actor: Who decides.
        reason: Why; not blank.

    Returns:
        The project as it is now.

    Raises:
        RegistryError: If the reason is blank.
    """
    before = projects.by_id(session, project_id).paused
    outcome = "paused" if paused else "resumed"
    move = Move(project_id, "training", None, actor, reason, outcome)
    audit.require_reason(move)
    projects.set_paused(session, project_id, paused)
    if paused != before:
        _note(session, move)
        projects.mark_dirty(session, project_id)
    return projects.by_id(session, project_id)


def _note(session: Session, move: Move) -> None:
    now = aliases.served(session, move.project_id)
    session.add(audit.row_of(move, number=now.number, before=now.number, revision=now.revision))
    session.flush()
