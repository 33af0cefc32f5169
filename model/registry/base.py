"""The declarative base: naming conventions and the one type for our own times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from sqlalchemy import JSON, CursorResult, DateTime, Dialect, MetaData, TypeDecorator, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table's parent."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON,
        list[Any]: JSON,
        datetime: UtcTime,
    }


def changed_rows(session: Session, statement: Update) -> int:
    """Run an UPDATE and say how many rows it met."""
    result = session.execute(statement.execution_options(synchronize_session=False))
    session.expire_all()
    return cast("CursorResult[Any]", result).rowcount


def insert_missing(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> int:
    """Insert up to some hundred rows, leaving out those whose key is taken, even at this moment.

    Returns:
        How many rows were new.
    """
    if not rows:
        return 0
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    target = Base.metadata.tables[table.__tablename__]
    statement = insert(target).values(list(rows)).on_conflict_do_nothing()
    return len(session.execute(statement.returning(*target.primary_key.columns)).all())


def utc_now() -> datetime:
    """The present time, aware."""
    return datetime.now(UTC)
