"""A project changes its method: a lane and a base version of the new one, nothing served moves."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from model.registry import predictions
from model.registry.errors import UnknownVersionError
from model.registry.projects import BaseAdapter, by_id, mark_dirty
from model.registry.tables import Lane
from model.registry.tables_versions import AdapterVersion


def base_version(session: Session, project_id: int, method: str) -> AdapterVersion:
    """The version that every run of a lane starts from: the method's base adapter.

    Raises:
        UnknownVersionError: If the project never used that method.
    """
    found = _base_version(session, project_id, method)
    if found is None:
        raise UnknownVersionError(
            f"This project has no base adapter of the method {method}; `nerloop connect --project "
            f"{by_id(session, project_id).ls_id} --method {method}` adds it."
        )
    return found


def use_method(session: Session, project_id: int, adapter: BaseAdapter) -> AdapterVersion | None:
    """Let a project train with a method from now on.

    The lane of the former method rests, and what is served stays until a person promotes.

    Args:
        session: An open write transaction.
        project_id: The project.
        adapter: The method with its base adapter.

    Returns:
        The new version that holds the base adapter; None if the project has one of that method.
    """
    mark_dirty(session, project_id)  # the project's row first, as every writer does
    project = by_id(session, project_id)
    project.method = adapter.method
    if session.get(Lane, (project_id, adapter.method)) is None:
        session.add(Lane(project_id=project_id, method=adapter.method))
    if _base_version(session, project_id, adapter.method) is not None:
        session.flush()
        return None
    newest = session.scalar(
        select(func.max(AdapterVersion.number)).where(AdapterVersion.project_id == project_id)
    )
    version = AdapterVersion(
        project_id=project_id,
        number=(newest or 0) + 1,
        method=adapter.method,
        base_name=adapter.base_name,
        base_digest=adapter.base_digest,
        artifact_digest=adapter.artifact_digest,
        config=adapter.config,
        report={},
    )
    session.add(version)
    session.flush()
    predictions.request(session, version.id)
    return version


def _base_version(session: Session, project_id: int, method: str) -> AdapterVersion | None:
    return session.scalar(
        select(AdapterVersion)
        .where(
            AdapterVersion.project_id == project_id,
            AdapterVersion.method == method,
            AdapterVersion.run_id.is_(None),
        )
        .order_by(AdapterVersion.number)
        .limit(1)
    )
