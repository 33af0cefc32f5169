"""Shadow scores: only what was predicted before people answered, in three streams."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from judged_project import JudgedProject, SpanKey, counted_statements
from model.loop.arms import ACTIVE, HELD_OUT, RANDOM
from model.registry import aliases, predictions, projects
from model.registry.previous import previous_served
from model.registry.session import Database
from model.registry.shadow import ShadowSeries, series
from model.registry.tables import Project
from model.spans import Label, LabelSet

ADA: SpanKey = (0, 3, "PER")
PARIS: SpanKey = (11, 16, "LOC")
TEXTS = {n: f"Ada went to Paris {n}" for n in range(1, 13)}


@pytest.fixture
def project(database: Database, make_project: Callable[..., Project]) -> JudgedProject:
    """Tasks 1 to 4 are held out, 5 to 8 random, 9 to 12 active."""
    made = JudgedProject(database, make_project(), TEXTS)
    for number in TEXTS:
        made.arm(number, (HELD_OUT, RANDOM, ACTIVE)[(number - 1) // 4])
    return made


def found(project: JudgedProject, last: int = 100) -> dict[tuple[str, int], ShadowSeries]:
    with project.database.read() as session:
        rows = series(session, project.project_id, last)
    return {(row.stream, row.number): row for row in rows}


def test_predictions_written_before_the_gold_are_scored(project: JudgedProject) -> None:
    """Held out: gold Ada and Paris in 1 and 2, predicted Ada in 1 and Ada, Paris in 2.

    3 right of 3, 4 gold: F1 = 6/7. Task 3 is annotated and predicted afterwards: it does not count.
    """
    project.predict(0, {1: [ADA], 2: [ADA, PARIS]})
    for number in (1, 2, 3):
        project.annotate(number, ADA, PARIS)
    project.predict(0, {3: []})
    row = found(project)[HELD_OUT, 0]
    assert (row.state, row.documents, row.total) == ("served", 2, 2)
    assert row.f1 == pytest.approx(6 / 7)
    assert row.f1 is not None
    assert row.low is not None
    assert row.high is not None
    assert row.low <= row.f1 <= row.high
    assert [(label.label, label.gold) for label in row.labels] == [("LOC", 2), ("PER", 2)]
    assert row.labels[0].f1 == pytest.approx(2 / 3)
    assert [(point.document, point.task_id) for point in row.points] == [(1, 1), (2, 2)]
    assert [point.f1 for point in row.points] == pytest.approx([2 / 3, 6 / 7])


def test_streams_are_never_mixed(project: JudgedProject) -> None:
    project.predict(0, {1: [ADA], 5: [], 9: [ADA], 10: [ADA]})
    for number in (1, 5, 9, 10):
        project.annotate(number, ADA)
    rows = found(project)
    assert [rows[stream, 0].f1 for stream in (HELD_OUT, RANDOM, ACTIVE)] == [1, 0, 1]
    assert [rows[stream, 0].total for stream in (HELD_OUT, RANDOM, ACTIVE)] == [1, 1, 2]


def test_a_text_the_version_learnt_from_does_not_count(project: JudgedProject) -> None:
    """An edit makes new gold after the prediction; version 1 has the text in its snapshot."""
    project.annotate(5, ADA, PARIS)
    project.version(1, 5)
    project.predict(1, {5: [ADA], 6: [ADA]})
    project.predict(0, {5: [], 6: []})
    project.annotate(5, ADA)
    project.annotate(6, ADA)
    rows = found(project)
    assert (rows[RANDOM, 1].total, rows[RANDOM, 1].f1) == (1, 1)
    assert (rows[RANDOM, 0].total, rows[RANDOM, 0].f1) == (2, 0)


def test_served_candidate_and_previous_are_watched(project: JudgedProject) -> None:
    project.version(1)
    project.promote(1)
    project.version(2)
    project.promote(2)
    project.version(3)
    assert [(row.state, row.number) for row in found(project).values() if row.stream == RANDOM] == [
        ("served", 2),
        ("candidate", 3),
        ("previous", 1),
    ]


def test_only_the_last_documents_make_the_score(project: JudgedProject) -> None:
    """Right, right, wrong with a window of two: 1, 1, then 2 * 1 / (1 + 2) = 2/3."""
    project.predict(0, {1: [ADA], 2: [ADA], 3: []})
    for number in (1, 2, 3):
        project.annotate(number, ADA)
    row = found(project, last=2)[HELD_OUT, 0]
    assert (row.documents, row.total) == (2, 3)
    assert row.f1 == pytest.approx(2 / 3)
    assert [point.f1 for point in row.points] == pytest.approx([1, 1, 2 / 3])
    assert [label.gold for label in row.labels] == [2]


def test_labels_no_longer_asked_do_not_count(project: JudgedProject) -> None:
    project.predict(0, {1: [ADA, PARIS]})
    project.annotate(1, ADA)
    with project.database.begin() as session:
        projects.set_labels(session, project.project_id, "", LabelSet((Label("PER"),)), None)
    assert found(project)[HELD_OUT, 0].f1 == 1


def test_a_candidate_is_asked_about_every_arm(project: JudgedProject) -> None:
    """Blind tasks too: only what was predicted in time can be scored."""
    version = project.version(1)
    with project.database.read() as session:
        window = {task.task_ref for task in predictions.window(session, version)}
        assert window == {project.task(session, number).id for number in TEXTS}


def test_nothing_yet(project: JudgedProject) -> None:
    rows = found(project)
    assert len(rows) == 3
    assert {(row.f1, row.low, row.documents, row.points) for row in rows.values()} == {
        (None, None, 0, ())
    }


def test_the_number_of_statements_does_not_grow_with_documents(project: JudgedProject) -> None:
    counts = []
    for numbers in (range(1, 3), range(3, 13)):
        project.predict(0, {number: [ADA] for number in numbers})
        for number in numbers:
            project.annotate(number, ADA)
        with project.database.read() as session, counted_statements(session) as sent:
            series(session, project.project_id)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 12


def test_the_version_served_before(project: JudgedProject) -> None:
    def before() -> int | None:
        with project.database.read() as session:
            return previous_served(session, project.project_id)

    assert before() is None
    for number in (1, 2):
        project.version(number)
        project.promote(number)
        assert before() == number - 1
    with project.database.begin() as session:
        aliases.roll_back(session, project.project_id, actor="test", reason="worse")
    assert before() == 0  # where the next roll-back would lead
