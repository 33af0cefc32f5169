"""The database: one engine, short write transactions, migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.orm import Session, sessionmaker

from model.registry.errors import (
    RegistryBusyError,
    RegistryError,
    RegistryUnavailableError,
)

__all__ = ["Database", "Session"]

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6E65726C


class Database:
    """The registry's database.

    Args:
        url: SQLAlchemy address; ``postgres://`` and ``postgresql://`` mean psycopg.
        busy_timeout: Seconds a writer waits for another one on SQLite.

    Raises:
        RegistryError: If the address cannot be read or its folder cannot be made.
    """

    def __init__(self, url: str, *, busy_timeout: float = 5.0) -> None:
        for prefix in ("postgres://", "postgresql://"):
            if url.startswith(prefix):
                url = "postgresql+psycopg://" + url.removeprefix(prefix)
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise RegistryError(
                "DATABASE_URL cannot be read. Expected for example "
                "sqlite:////data/nerloop.db or postgresql://user:password@host/database."
            ) from error
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {}
        if self.is_sqlite:
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"timeout": busy_timeout, "check_same_thread": False}
        self._engine = create_engine(parsed, pool_pre_ping=not self.is_sqlite, **options)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One write transaction: commits at the end, rolls back on an error.

        Raises:
            RegistryBusyError: If another writer held the database for too long.
            RegistryUnavailableError: If the database does not answer.
        """
        with _own_errors(), self._sessions() as session:
            session.connection(execution_options={"nerloop_write": True})
            with _committing(session):
                yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One reading transaction; nothing is written."""
        with _own_errors(), self._sessions() as session:
            yield session

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to a revision (the newest by default).

        Several processes may do it at once: one works, the others wait and find it done.
        """
        with self._alone() as connection:
            command.upgrade(self._alembic(connection), revision)

    def downgrade(self, revision: str) -> None:
        """Take the schema back to a revision."""
        with self._alone() as connection:
            command.downgrade(self._alembic(connection), revision)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            RegistryError: If it does not answer or was never set up.
        """
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT version_num FROM alembic_version"))
        except SQLAlchemyError as error:
            raise RegistryError(
                "The database does not answer or has no tables yet. Check DATABASE_URL; "
                "`nerloop up` creates the tables."
            ) from error

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        with _own_errors(), self._engine.connect() as connection:
            connection = connection.execution_options(nerloop_write=True)
            with connection.begin():  # on SQLite this alone keeps all other writers out
                if not self.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                yield connection

    def _alembic(self, connection: Any) -> Config:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        return config


@contextmanager
def _committing(session: Session) -> Iterator[None]:
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise


@contextmanager
def _own_errors() -> Iterator[None]:
    """A busy database, a deadlock lost, a connection gone: all may be tried again by the caller."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        words = str(error.orig)
        if words.startswith("database is locked") or "database table is locked" in words:
            raise RegistryBusyError from error
        raise RegistryUnavailableError(
            "The database does not answer or broke off "
            f"({type(error.orig).__name__}). Check DATABASE_URL, the server and its disk."
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    del record
    # pysqlite would open transactions by itself, too late and in the wrong mode
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    writing = connection.get_execution_options().get("nerloop_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
