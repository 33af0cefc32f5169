"""A version's row, by its number or its id."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.registry.errors import UnknownVersionError
from model.registry.tables_versions import AdapterVersion


def row(session: Session, project_id: int, number: int) -> AdapterVersion:
    """The row of a version.

    Raises:
        UnknownVersionError: If the project has none of that number.
    """
    found = session.scalar(
        select(AdapterVersion).where(
            AdapterVersion.project_id == project_id, AdapterVersion.number == number
        )
    )
    if found is None:
        raise UnknownVersionError(
            f"There is no version {number} in this project; `nerloop versions list` shows them."
        )
    return found


def of_id(session: Session, version_id: int) -> AdapterVersion | None:
    """The version of a row id, if there is one."""
    return session.get(AdapterVersion, version_id)
