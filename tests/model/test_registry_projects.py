"""Which project a number of Label Studio's means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.registry import projects
from model.registry.errors import AmbiguousProjectError
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database

NEW = NewProject(
    "1.1", "http://one", 1, "t", "<View/>", None, 0.1, BaseAdapter("m", "tiny", "b", "a", {})
)


def add(database: Database, uid: str, url: str, *, connected: bool) -> int:
    with database.begin() as session:
        row = projects.register(session, replace(NEW, uid=uid, url=url))
        projects.set_connected(session, row.id, url if connected else None)
        return row.id


def test_the_connected_project_goes_before_a_newer_one_that_is_not(database: Database) -> None:
    first = add(database, "1.1", "http://one", connected=True)
    second = add(database, "1.2", "http://one", connected=False)
    with database.read() as session:
        assert projects.by_label_studio(session, 1).id == first
        assert [row.id for row in projects.reachable(projects.every(session))] == [first]
        assert projects.by_label_studio(session, 1, only=second).id == second


def test_without_a_connected_one_it_is_the_newest(database: Database) -> None:
    add(database, "1.1", "http://one", connected=False)
    second = add(database, "1.2", "http://two", connected=False)
    with database.read() as session:
        assert projects.by_label_studio(session, 1).id == second


def test_two_connected_label_studios_make_the_number_ambiguous(database: Database) -> None:
    add(database, "1.1", "http://one", connected=True)
    second = add(database, "1.2", "http://two", connected=True)
    with database.read() as session:
        with pytest.raises(AmbiguousProjectError, match="http://one and http://two"):
            projects.by_label_studio(session, 1)
        assert projects.by_label_studio(session, 1, "http://two").id == second
        assert len(projects.reachable(projects.every(session))) == 2
