"""Fixtures that several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.registry import projects
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.registry.tables import Project
from model.spans import Label, LabelSet

MakeProject = Callable[..., Project]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty registry on SQLite, all migrations done."""
    opened = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def make_project(database: Database) -> MakeProject:
    """Register a project with two labels; ``held_out`` is its held-out share."""

    def make(ls_id: int = 1, held_out: float = 0.0) -> Project:
        adapter = BaseAdapter("cllmfs", "tiny", "b" * 64, "a" * 64, {"rank": 4})
        labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
        new = NewProject(
            f"{ls_id}.1700000000", "http://ls", ls_id, "t", "<View/>", labels, held_out, adapter
        )
        with database.begin() as session:
            return projects.register(session, new)

    return make
