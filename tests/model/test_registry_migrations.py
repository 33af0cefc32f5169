"""Up, down and up again with rows that live: what both revisions know survives every way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, select, text
from sqlalchemy.exc import DBAPIError

from model.registry import aliases, marks, versions
from model.registry.artifacts import ArtifactStore
from model.registry.loading import read_version
from model.registry.rows import row
from model.registry.schema import METADATA
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.versions import Publication, Scores
from registry_runs import annotate, asked, taken

MakeProject = Callable[..., Project]
FILES = {
    "adapter_model.safetensors": b"weights",
    "adapter_config.json": b"{}",
    "nerloop.json": b"{}",
}
ADDED = {
    "verdicts",
    "version_marks",
    "run_lines",
    "people",
    "person_sessions",
    "person_tokens",
}


def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table as the database itself describes them, whatever the code thinks."""
    found = MetaData()
    with database.read() as session:
        connection = session.connection()
        found.reflect(connection)
        return {
            name: [
                dict(item)
                for item in connection.execute(
                    select(table).order_by(*table.primary_key.columns)
                ).mappings()
            ]
            for name, table in found.tables.items()
            if name != "alembic_version"
        }


def tables(database: Database) -> set[str]:
    with database.read() as session:
        return set(inspect(session.connection()).get_table_names())


def live(database: Database, project: Project, artifacts: ArtifactStore, weights: bytes) -> int:
    """One more trained, scored and promoted version; returns its number."""
    annotate(database, project, 10 * len(weights))
    claim = taken(database, asked(database, project))
    scores = Scores("e" * 64, ((1, 1, 2, 1),))
    digest = artifacts.put(FILES | {"adapter_model.safetensors": weights})
    made = Publication(digest, "tiny", "b" * 64, {"rank": 4}, {}, scores)
    with database.begin() as session:
        version = versions.publish(session, claim, made)
        assert version is not None
        aliases.promote(session, project.id, version.number, actor="Ada", reason="better")
        return version.number


def known_before(
    rows: dict[str, list[dict[str, Any]]], before: dict[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Only the tables and columns that the first revision has."""
    return {
        name: [
            {key: item[key] for key in old[0]} if old else item
            for item, _ in zip(rows[name], old, strict=True)
        ]
        for name, old in before.items()
    }


def test_one_step_down_and_up_loses_nothing_that_both_revisions_know(
    database: Database, make_project: MakeProject, tmp_path: Path
) -> None:
    artifacts = ArtifactStore(tmp_path / "artifacts")
    project = make_project()
    live(database, project, artifacts, b"1")
    database.downgrade("0001")
    assert not ADDED & tables(database)
    first = contents(database)
    assert all(first[name] for name in ("adapter_versions", "alias_changes", "evaluations"))
    database.upgrade("0002")
    assert tables(database) >= ADDED
    assert known_before(contents(database), first) == first

    # the new revision lives for a while: a promotion, a mark; then the old code comes back
    assert live(database, project, artifacts, b"22") == 2
    with database.begin() as session:
        marks.pin(session, project.id, 1, True, actor="Ada", reason="for the paper")
    lived = contents(database)
    database.downgrade("0001")
    again = contents(database)
    assert {name: len(rows) for name, rows in again.items()} == {
        name: len(rows) for name, rows in lived.items() if name not in ADDED
    }
    assert known_before(lived, again) == again

    database.upgrade()
    assert known_before(contents(database), again) == again
    with database.read() as session:
        connection = session.connection()
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert [view.number for view in versions.versions(session, project.id)] == [0, 1, 2]
        served = aliases.served(session, project.id)
        old = row(session, project.id, 1).id
    assert served.number == 2
    # an adapter of before the first step still loads, and roll-back still knows where to
    assert read_version(database, artifacts, old)["adapter_model.safetensors"] == b"1"
    with database.begin() as session:
        move = aliases.roll_back(session, project.id, actor="Ada", reason="worse")
        assert move.to_number == 1


@pytest.mark.parametrize("statement", ["DELETE FROM alias_changes", "DELETE FROM adapter_versions"])
def test_what_is_append_only_stays_so_after_a_step_down_and_up(
    database: Database, make_project: MakeProject, tmp_path: Path, statement: str
) -> None:
    live(database, make_project(), ArtifactStore(tmp_path / "artifacts"), b"1")
    database.downgrade("0001")
    database.upgrade()
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as session:
        session.execute(text(statement))
