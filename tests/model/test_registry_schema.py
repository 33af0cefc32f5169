"""The migrations make exactly the tables the code declares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from model.registry import projects
from model.registry.errors import RegistryBusyError, RegistryError
from model.registry.schema import METADATA, TABLES
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import AliasChange

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_migrations_and_metadata_agree(database: Database) -> None:
    with database.read() as session:
        connection = session.connection()
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert set(inspect(connection).get_table_names()) >= TABLES
    database.ping()


def test_several_processes_may_migrate_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    code = f"from model.registry.session import Database; Database({url!r}).upgrade()"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    made = Database(url)
    made.ping()
    made.close()


@pytest.mark.parametrize(
    "statement", ["UPDATE alias_changes SET reason = 'x'", "DELETE FROM alias_changes"]
)
def test_the_audit_refuses_to_be_changed(
    database: Database, make_project: Callable[..., Project], statement: str
) -> None:
    project = make_project()
    with database.begin() as session:
        session.add(
            AliasChange(
                project_id=project.id,
                alias="served",
                to_version=1,
                actor="me",
                reason="because",
                outcome="promoted",
                revision=1,
            )
        )
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as session:
        session.execute(text(statement))


def test_down_and_up_again(database: Database) -> None:
    database.downgrade("base")
    with database.read() as session:
        assert set(inspect(session.connection()).get_table_names()) == {"alembic_version"}
    database.upgrade()
    database.ping()


def test_a_database_without_tables_says_so(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(RegistryError, match="no tables yet"):
        empty.ping()
    empty.close()


def test_a_bad_address_is_explained() -> None:
    with pytest.raises(RegistryError, match="DATABASE_URL cannot be read"):
        Database("not an address")


@on_sqlite
def test_wal_and_full_sync(database: Database) -> None:
    with database.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA synchronous")) == 2
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


@on_sqlite
def test_a_busy_database_is_told_apart(database: Database, tmp_path: Path) -> None:
    hasty = Database(f"sqlite:///{tmp_path / 'registry.db'}", busy_timeout=0.05)
    with database.begin():
        with pytest.raises(RegistryBusyError), hasty.begin():
            pass
        with hasty.read() as session:
            assert projects.every(session) == []
    hasty.close()
