"""Which version was served before the present one: where a roll-back leads."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.registry.tables_versions import AdapterVersion, Alias, AliasChange


def previous_served(session: Session, project_id: int) -> int | None:
    """Number of the version served before the present one was promoted, if there was one."""
    serving = (
        select(AdapterVersion.number)
        .join(Alias, Alias.version_id == AdapterVersion.id)
        .where(Alias.project_id == project_id, Alias.name == "served")
        .scalar_subquery()
    )
    return session.scalar(
        select(AliasChange.from_version)
        .where(
            AliasChange.project_id == project_id,
            AliasChange.alias == "served",
            AliasChange.outcome == "promoted",
            AliasChange.to_version == serving,
        )
        .order_by(AliasChange.id.desc())
        .limit(1)
    )
