"""Projects: made once, found by uid, marked dirty by events."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from model.loop.looks import POLICIES
from model.registry.errors import AmbiguousProjectError, UnknownPolicyError, UnknownProjectError
from model.registry.tables import Lane, Project
from model.registry.tables_versions import AdapterVersion, Alias
from model.spans import LabelSet


@dataclass(frozen=True, slots=True)
class BaseAdapter:
    """The adapter every project starts with, as version 0.

    Attributes:
        method: Name of the method it belongs to.
        base_name: Catalogue name of its base model.
        base_digest: Digest of that base model's tensors.
        artifact_digest: Where the artifact store keeps it.
        config: The method's configuration it was trained with.
    """

    method: str
    base_name: str
    base_digest: str
    artifact_digest: str
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewProject:
    """What is known of a project when it is first met."""

    uid: str
    url: str
    ls_id: int
    title: str
    label_config: str
    label_set: LabelSet | None
    held_out_share: float
    base_adapter: BaseAdapter


def register(session: Session, new: NewProject) -> Project:
    """The project of that uid; made with lane, version 0 and alias ``served`` if it is new."""
    known = by_uid(session, new.uid)
    if known is not None:
        return known
    try:
        with session.begin_nested():
            return _insert(session, new)
    except IntegrityError:  # somebody else registered it at the same moment
        known = by_uid(session, new.uid)
        if known is None:
            raise
        return known


def _insert(session: Session, new: NewProject) -> Project:
    adapter = new.base_adapter
    project = Project(
        uid=new.uid,
        url=new.url,
        ls_id=new.ls_id,
        title=new.title,
        method=adapter.method,
        label_config=new.label_config,
        label_set=new.label_set.to_json() if new.label_set else [],
        salt=secrets.token_hex(16),
        held_out_share=new.held_out_share,
    )
    session.add(project)
    session.flush()
    session.add(Lane(project_id=project.id, method=adapter.method))
    version = AdapterVersion(
        project_id=project.id,
        number=0,
        method=adapter.method,
        base_name=adapter.base_name,
        base_digest=adapter.base_digest,
        artifact_digest=adapter.artifact_digest,
        config=adapter.config,
        report={},
    )
    session.add(version)
    session.flush()
    session.add(Alias(project_id=project.id, name="served", lane="", version_id=version.id))
    session.flush()
    return project


def by_uid(session: Session, uid: str) -> Project | None:
    """The project Label Studio calls by this uid."""
    return session.scalar(select(Project).where(Project.uid == uid))


def by_id(session: Session, project_id: int) -> Project:
    """The project of this row id.

    Raises:
        UnknownProjectError: If there is none.
    """
    project = session.get(Project, project_id)
    if project is None:
        raise UnknownProjectError
    return project


def every(session: Session) -> Sequence[Project]:
    """All projects, oldest first."""
    return session.scalars(select(Project).order_by(Project.id)).all()


def connected(session: Session) -> Sequence[Project]:
    """Those the courier reads and writes."""
    wanted = select(Project).where(Project.connected, Project.gone_at.is_(None))
    return session.scalars(wanted.order_by(Project.id)).all()


def by_label_studio(
    session: Session, ls_id: int, url: str | None = None, *, only: int | None = None
) -> Project:
    """The project with this number in Label Studio: the connected one, else the newest.

    Args:
        session: An open session.
        ls_id: Its number there.
        url: At this address only.
        only: The one project (its row's id) that counts; the others do not exist for who asks.

    Raises:
        UnknownProjectError: If none is registered.
        AmbiguousProjectError: If several Label Studios are connected that have one.
    """
    wanted = select(Project).where(Project.ls_id == ls_id)
    if url is not None:
        wanted = wanted.where(Project.url == url)
    if only is not None:
        wanted = wanted.where(Project.id == only)
    found = reachable(session.scalars(wanted.order_by(Project.id)).all())
    if not found:
        raise UnknownProjectError(
            f"No project {ls_id} is connected. `nerloop connect --project {ls_id}` connects it."
        )
    if len(found) > 1:
        places = " and ".join(row.url for row in found)
        raise AmbiguousProjectError(
            f"Project {ls_id} is connected at {places}, so its number does not say which is meant. "
            "Use a nerloop with a home of its own for each Label Studio, or disconnect one."
        )
    return found[0]


def reachable(rows: Sequence[Project]) -> list[Project]:
    """Of projects with the same number the connected ones, or else the newest."""
    numbered: dict[int, list[Project]] = {}
    for row in rows:
        numbered.setdefault(row.ls_id, []).append(row)
    kept = []
    for same in numbered.values():
        live = [row for row in same if row.connected and row.gone_at is None]
        kept += live or [max(same, key=lambda row: row.id)]
    return kept


def lock(session: Session, project_id: int) -> None:
    """Keep all other writers of a project waiting until this transaction ends."""
    # SQLite's write transactions are alone anyway, and it leaves the clause out
    rows = select(Project.id).where(Project.id == project_id)
    session.execute(rows.with_for_update(key_share=True))


def mark_dirty(session: Session, project_id: int) -> None:
    """Wake the courier: something may have changed."""
    changed = update(Project).where(Project.id == project_id)
    session.execute(changed.values(dirty_seq=Project.dirty_seq + 1))


def set_connected(session: Session, project_id: int, url: str | None) -> None:
    """Switch the courier on for a project at this address, or off with None."""
    project = by_id(session, project_id)
    project.connected = url is not None
    project.connection_error = None
    if url is not None:
        project.url, project.gone_at = url, None
    mark_dirty(session, project_id)


def set_labels(
    session: Session,
    project_id: int,
    label_config: str,
    label_set: LabelSet | None,
    error: str | None,
) -> None:
    """Keep the project's labeling config; a broken one keeps the former label set."""
    project = by_id(session, project_id)
    project.label_config, project.config_error = label_config, error
    if label_set is not None:
        project.label_set = label_set.to_json()


def set_connection_error(session: Session, project_id: int, error: str | None) -> None:
    """Remember why Label Studio could not be reached, for the admin to see."""
    by_id(session, project_id).connection_error = error


def set_pointer(session: Session, project_id: int, *, seen: str | None, wanted: str | None) -> None:
    """Remember which version Label Studio points at, and which one we last set."""
    project = by_id(session, project_id)
    project.pointer_seen, project.pointer_wanted = seen, wanted


def set_paused(session: Session, project_id: int, paused: bool) -> None:
    """Stop or allow training by itself."""
    by_id(session, project_id).paused = paused


def set_policy(session: Session, project_id: int, policy: str) -> None:
    """Let a person (``manual``), the gate (``auto``) or every fast run (``serve-fast``) promote.

    Raises:
        UnknownPolicyError: If there is no such policy.
    """
    if policy not in POLICIES:
        raise UnknownPolicyError(
            f"There is no policy {policy!r}. These can be used: {', '.join(POLICIES)}."
        )
    by_id(session, project_id).policy = policy
