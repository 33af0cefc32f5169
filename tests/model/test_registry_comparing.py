"""Two versions side by side: scores, changed texts, training data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from judged_project import JudgedProject, SpanKey
from model.registry.comparing import VersionComparison, compare
from model.registry.data_difference import LabelShots
from model.registry.errors import RegistryError, UnknownVersionError
from model.registry.session import Database
from model.registry.tables import Project
from model.spans import Span

ADA: SpanKey = (0, 3, "PER")
BOB: SpanKey = (8, 11, "PER")
PARIS: SpanKey = (15, 20, "LOC")
TEXTS = {n: f"Ada met Bob in Paris {n}" for n in range(1, 9)}
DIGEST = "d" * 64


@pytest.fixture
def project(database: Database, make_project: Callable[..., Project]) -> JudgedProject:
    """Tasks 1 to 5 are gold and scored, 6 and 7 gold and learnt from."""
    made = JudgedProject(database, make_project(), TEXTS)
    for number in range(1, 8):
        made.annotate(number, ADA, PARIS)
    return made


def said(project: JudgedProject, first: int = 1, second: int = 2) -> VersionComparison:
    with project.database.read() as session:
        return compare(session, project.project_id, first, second)


def two_versions(project: JudgedProject, *, kept: bool = True, second: str = DIGEST) -> None:
    """Version 1 finds Ada in 1 to 4, version 2 misses her in 4 and finds Paris in 1 and 2."""
    one, two = project.version(1, 6), project.version(2, 6, 7)
    project.score(one, DIGEST, {1: [ADA], 2: [ADA], 3: [ADA], 4: [ADA], 5: [BOB]}, kept=kept)
    rows = {1: [ADA, PARIS], 2: [ADA, PARIS], 3: [ADA], 4: [], 5: [(8, 11, "LOC")]}
    project.score(two, second, rows, kept=kept)


def test_scores_and_labels_by_hand(project: JudgedProject) -> None:
    """Gold: 5 PER, 5 LOC.

    First: 5 spans, 4 right: F1 = 8 / (5 + 10). Second: 6 spans, 5 right: F1 = 10 / (6 + 10).
    PER: first 4 of 5 predicted, 5 gold: 8/10; second 3 of 3, 5 gold: 6/8.
    LOC: first none: 0; second 2 of 3, 5 gold: 4/8.
    """
    two_versions(project)
    found = said(project)
    assert found.why_not is None
    assert found.documents == 5
    assert found.first_scores is not None
    assert found.second_scores is not None
    assert found.first_scores.f1 == pytest.approx(8 / 15)
    assert found.first_scores.precision == pytest.approx(4 / 5)
    assert found.second_scores.recall == pytest.approx(5 / 10)
    assert found.delta == pytest.approx(10 / 16 - 8 / 15)
    assert found.delta is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.delta < found.high
    assert found.p is not None
    assert found.p > 0.05
    rows = {row.label: row for row in found.labels}
    assert [row.label for row in found.labels] == ["LOC", "PER"]
    assert [rows[label].gold for label in ("LOC", "PER")] == [5, 5]
    assert (rows["PER"].first.f1, rows["PER"].second.f1) == pytest.approx((8 / 10, 6 / 8))
    assert rows["LOC"].delta == pytest.approx(4 / 8)
    assert rows["PER"].low <= rows["PER"].delta <= rows["PER"].high


def test_the_other_way_round_is_the_opposite(project: JudgedProject) -> None:
    two_versions(project)
    found, turned = said(project), said(project, 2, 1)
    assert turned.delta == pytest.approx(-(found.delta or 0))
    assert (turned.fixed, turned.broken, turned.other) == (found.broken, found.fixed, found.other)
    assert [text.task_id for text in turned.data.only_first.shown] == [7]


def test_changed_texts_are_sorted_into_fixed_broken_and_other(project: JudgedProject) -> None:
    two_versions(project)
    found = said(project)
    assert [(text.task_id, text.kind) for text in found.changed] == [
        (4, "broken"),
        (5, "other"),
        (1, "fixed"),
        (2, "fixed"),
    ]
    assert (found.fixed, found.broken, found.other, found.same) == (2, 1, 1, 1)
    fixed = found.changed[2]
    assert fixed.text == TEXTS[1]
    assert fixed.gold == (Span(*ADA), Span(*PARIS))
    assert fixed.second == (Span(*ADA, 0.5), Span(*PARIS, 0.5))
    assert (fixed.gone, fixed.new) == (1, 0)
    assert [(part.label, part.gone) for part in fixed.counts] == [("LOC", 1)]


def test_a_purged_text_is_shown_as_purged(project: JudgedProject) -> None:
    one, two = project.version(1, 6), project.version(2, 6)
    project.score(one, DIGEST, {3: [ADA], 4: [ADA]}, purged=4)
    project.score(two, DIGEST, {3: [], 4: []}, purged=4)
    assert [(text.task_id, text.text) for text in said(project).changed] == [
        (3, TEXTS[3]),
        (4, None),
    ]


def test_different_looks_share_documents_of_equal_gold(project: JudgedProject) -> None:
    """Version 2 was scored later, on 1 to 5 again, but the gold of 5 had changed meanwhile."""
    one = project.version(1, 6)
    project.score(one, DIGEST, {n: [ADA] for n in range(1, 6)})
    project.annotate(5, ADA)
    two = project.version(2, 6, 7)
    project.score(two, "e" * 64, {n: [ADA, PARIS] for n in range(2, 6)})
    found = said(project)
    assert found.documents == 3
    assert found.why_not is None
    assert found.delta == pytest.approx(1 - 2 / 3)


def test_the_newest_common_look_is_compared(project: JudgedProject) -> None:
    two_versions(project)
    with project.database.read() as session:
        one = project.version_id(session, 1)
        two = project.version_id(session, 2)
    for version in (one, two):
        project.score(version, "f" * 64, {1: [ADA], 2: [ADA]})
    found = said(project)
    assert (found.documents, found.delta) == (2, 0)


def test_a_text_one_of_them_learnt_from_does_not_count(project: JudgedProject) -> None:
    one, two = project.version(1, 6), project.version(2, 6, 5)
    for version in (one, two):
        project.score(version, DIGEST, {4: [ADA], 5: [ADA]})
    assert said(project).documents == 1


def test_old_scores_without_answers_give_a_difference_but_no_texts(project: JudgedProject) -> None:
    two_versions(project, kept=False)
    found = said(project)
    assert found.delta == pytest.approx(10 / 16 - 8 / 15)
    assert (found.labels, found.changed, found.documents) == ((), (), 5)
    assert found.why_not is not None
    assert "not kept" in found.why_not


@pytest.mark.parametrize("scored", [True, False])
def test_why_nothing_can_be_compared(project: JudgedProject, scored: bool) -> None:
    if scored:
        two_versions(project, kept=False, second="e" * 64)
    else:
        project.version(1, 6)
        project.version(2, 6, 7)
    found = said(project)
    assert (found.delta, found.first_scores, found.documents, found.same) == (None, None, 0, 0)
    assert found.why_not is not None
    assert ("different times" if scored else "Version 1 was never scored") in found.why_not
    assert found.data.second_texts == 2


def test_what_they_learnt_from(project: JudgedProject) -> None:
    """Version 1: 6 and 7. Then 7 loses Paris. Version 2: 5 and 7."""
    project.version(1, 6, 7)
    project.annotate(7, ADA)
    project.version(2, 5, 7)
    data = said(project).data
    assert (data.first_texts, data.second_texts) == (2, 2)
    assert (data.first_shots, data.second_shots) == (4, 3)
    assert [text.task_id for text in data.only_first.shown] == [6]
    assert data.only_first.shown[0].text == TEXTS[6]
    assert [text.task_id for text in data.only_second.shown] == [5]
    assert data.changed.total == 1
    (moved,) = data.changed.shown
    assert (moved.first, moved.second) == ((Span(*ADA), Span(*PARIS)), (Span(*ADA),))
    assert data.labels == (LabelShots("LOC", 2, 1), LabelShots("PER", 2, 2))


def test_version_0_learnt_from_nothing(project: JudgedProject) -> None:
    project.version(1, 6)
    data = said(project, 0, 1).data
    assert (data.first_texts, data.first_shots, data.only_second.total) == (0, 0, 1)


def test_a_text_imported_again_is_the_same_text(project: JudgedProject) -> None:
    project.version(1, 6)
    with project.database.begin() as session:
        project.task(session, 7).text_digest = project.task(session, 6).text_digest
    project.version(2, 7)
    data = said(project).data
    assert (data.only_first.total, data.only_second.total, data.changed.total) == (0, 0, 0)


def test_wrong_numbers_are_refused(project: JudgedProject) -> None:
    project.version(1, 6)
    with pytest.raises(UnknownVersionError, match="no version 9"):
        said(project, 1, 9)
    with pytest.raises(RegistryError, match="two different versions"):
        said(project, 1, 1)
