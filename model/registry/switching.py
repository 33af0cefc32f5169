"""A project changes its method: a lane and a base version of the new one, nothing served moves."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from model.registry import predictions
from model.registry.base import changed_rows, utc_now
from model.registry.errors import UnknownVersionError
from model.registry.projects import BaseAdapter, by_id, mark_dirty
from model.registry.tables import Lane
from model.registry.tables_versions import AdapterVersion, TrainingRun


def base_version(
    session: Session, project_id: int, method: str, base_digest: str | None = None
) -> AdapterVersion:
    """The version that every run of a lane starts from: the method's base adapter.

    Args:
        session: An open session.
        project_id: The project.
        method: The method.
        base_digest: Digest of the base model in use: a project may hold base adapters of several;
            where it has none of this one, or None is asked for, it is the newest.

    Raises:
        UnknownVersionError: If the project never used that method.
    """
    held = _base_versions(session, project_id, method)
    found = next((v for v in held if v.base_digest == base_digest), held[0] if held else None)
    if found is None:
        raise UnknownVersionError(
            f"This project has no base adapter of the method {method}; `nerloop connect --project "
            f"{by_id(session, project_id).ls_id} --method {method}` adds it."
        )
    return found


def use_method(session: Session, project_id: int, adapter: BaseAdapter) -> AdapterVersion | None:
    """Let a project train with a method from now on.

    The lane of the former method rests, its waiting run is cancelled, and what is served stays
    until a person promotes. The same method with another base model adds that one's base adapter.

    Args:
        session: An open write transaction.
        project_id: The project.
        adapter: The method with its base adapter.

    Returns:
        The new version that holds the base adapter; None if the project has this one already.
    """
    mark_dirty(session, project_id)  # the project's row first, as every writer does
    project = by_id(session, project_id)
    project.method = adapter.method
    lane = session.get(Lane, (project_id, adapter.method))
    if lane is None:
        lane = Lane(project_id=project_id, method=adapter.method)
        session.add(lane)
    _cancel_waiting(session, project_id, besides=adapter.method)
    held = _base_versions(session, project_id, adapter.method)
    if any(version.artifact_digest == adapter.artifact_digest for version in held):
        session.flush()
        return None
    if held:
        lane.asked = True  # the same annotations on another base model make another version
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


def _base_versions(session: Session, project_id: int, method: str) -> Sequence[AdapterVersion]:
    """The base adapters of a method, newest first."""
    return session.scalars(
        select(AdapterVersion)
        .where(
            AdapterVersion.project_id == project_id,
            AdapterVersion.method == method,
            AdapterVersion.run_id.is_(None),
        )
        .order_by(AdapterVersion.number.desc())
    ).all()


def _cancel_waiting(session: Session, project_id: int, *, besides: str) -> None:
    """A version of a lane that rests would hide the candidates of the one in use."""
    ended = (
        update(TrainingRun)
        .where(
            TrainingRun.project_id == project_id,
            TrainingRun.method != besides,
            TrainingRun.state == "requested",
        )
        .values(
            state="failed",
            failure_kind="cancelled",
            failure_reason=f"the project trains with {besides} now",
            ended_at=utc_now(),
        )
    )
    changed_rows(session, ended)
