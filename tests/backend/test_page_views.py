"""What the admin pages' views make of values: words, intervals, pieces of texts, notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.pages import formatting
from backend.pages.health import notices
from backend.pages.intervals import WIDTH, drawn, f1_bounds, reach
from backend.pages.marking import Piece, answer_pieces, gold_pieces
from backend.pages.progress import progress
from backend.pages.trail import line
from model.registry.tables import Project
from model.registry.tables_admin import RunLine
from model.registry.tables_versions import AliasChange, TrainingRun
from model.spans import Span

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def test_numbers_are_shown_as_people_write_them() -> None:
    assert formatting.percent(0.7138) == "71.4"
    assert formatting.percent(None) == "–"
    assert [formatting.points(x) for x in (0.031, -0.004, 0.0, -0.0001)] == [
        "+3.1",
        "−0.4",
        "±0.0",
        "±0.0",
    ]
    assert formatting.change(-0.004, 0.066) == "−0.4 to +6.6"
    assert formatting.span(0.5, None) == "–"
    assert formatting.count(1, "text") == "1 text"
    assert formatting.count(1200, "text") == "1,200 texts"
    assert formatting.short("a" * 64) == "a" * 12
    assert formatting.moment(NOW) == "2026-11-20 18:00 UTC"
    assert [formatting.duration(s) for s in (3, 61, 7300, 90_000, 200_000)] == [
        "3 s",
        "1 min",
        "2 h",
        "1 day",
        "2 days",
    ]


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("run `nerloop up` now", ["run ", "nerloop up", " now"]),
        ("a lone ` tick", ["a lone ` tick"]),
        ("none", ["none"]),
    ],
)
def test_back_ticks_in_pairs_are_code(sentence: str, parts: list[str]) -> None:
    assert formatting.ticked(sentence) == parts


def test_an_interval_lies_where_its_numbers_are() -> None:
    """With a reach of 0.1, 0.1 is drawn at the right margin: 64 + 58 = 122."""
    found = drawn(0.05, 0.0, 0.1, 0.1)
    assert found is not None
    assert (found.left, found.point, found.right) == (WIDTH / 2, 93.0, 122.0)
    assert found.trend == "level"
    assert drawn(None, None, None, 0.1) is None
    below, above = drawn(-0.05, -0.09, -0.01, 0.1), drawn(0.05, 0.01, 0.5, 0.1)
    assert below is not None
    assert above is not None
    assert (below.trend, above.trend, above.right) == ("down", "up", 122.0)
    assert reach([None, 0.01, -0.3]) == 0.3
    assert reach([]) == 0.05


def test_f1_of_documents_has_an_interval() -> None:
    """Two documents, one right and one wrong: F1 is 0.5, and a draw gives 0, 0.5 or 1."""
    assert f1_bounds([(1, 1, 1, 1), (2, 0, 1, 1)]) == (0.0, 1.0)
    assert f1_bounds([]) is None


def test_an_answer_is_cut_at_every_border() -> None:
    text = "Ann saw Oslo."
    gold = [Span(0, 3, "PER"), Span(8, 12, "LOC")]
    said = [Span(0, 3, "PER"), Span(4, 12, "LOC", 0.6)]
    assert gold_pieces(text, gold) == (
        Piece("Ann", "gold", ("PER",)),
        Piece(" saw "),
        Piece("Oslo", "gold", ("LOC",)),
        Piece("."),
    )
    assert answer_pieces(text, gold, said) == (
        Piece("Ann", "right", ("PER",)),
        Piece(" "),
        Piece("saw ", "wrong", ()),
        Piece("Oslo", "wrong", ("wrong: LOC", "missed: LOC")),
        Piece("."),
    )


def test_pieces_give_back_the_text_whatever_the_spans() -> None:
    text = "ab👩‍👧cd"
    spans = [Span(0, 6, "A"), Span(1, 3, "B"), Span(1, 3, "A"), Span(5, 99, "C")]
    pieces = answer_pieces(text, spans[:2], spans)
    assert "".join(piece.text for piece in pieces) == text
    assert gold_pieces("", ()) == ()


def make_project(**more: object) -> Project:
    values = {
        "ls_id": 3,
        "connected": True,
        "dirty_seq": 4,
        "clean_seq": 4,
        "paused": False,
        "pointer_wanted": "3.1",
        "pointer_seen": "3.1",
    }
    return Project(**(values | more))


def test_a_healthy_project_needs_no_notice() -> None:
    assert notices(make_project(), None) == ()


@pytest.mark.parametrize(
    ("more", "word", "level"),
    [
        ({"gone_at": NOW}, "gone", "bad"),
        ({"connection_error": "timeout"}, "connection", "bad"),
        ({"config_error": "no labels"}, "configuration", "bad"),
        ({"connected": False}, "not connected", "wait"),
        ({"pointer_seen": "mine"}, "drift", "wait"),
        ({"pointer_seen": None}, "drift", "wait"),
        ({"paused": True}, "paused", "info"),
        ({"dirty_seq": 7}, "unread", "info"),
    ],
)
def test_each_trouble_has_its_notice(more: dict[str, object], word: str, level: str) -> None:
    (found,) = notices(make_project(**more), None)
    assert (found.word, found.level) == (word, level)


def test_the_worst_comes_first() -> None:
    found = notices(make_project(paused=True, config_error="x"), "no engine")
    assert [item.level for item in found] == ["bad", "bad", "info"]


def make_run(**more: object) -> TrainingRun:
    values = {
        "id": 1,
        "state": "running",
        "revoked": False,
        "attempt": 2,
        "step": 10,
        "steps": 40,
        "started_at": NOW - timedelta(seconds=100),
    }
    return TrainingRun(**(values | more))


def test_progress_counts_the_present_attempt_only() -> None:
    lines = [
        RunLine(attempt=1, step=30, loss=0.1, at=NOW - timedelta(seconds=300)),
        RunLine(attempt=2, words="took the run", at=NOW - timedelta(seconds=100)),
        RunLine(attempt=2, step=10, loss=0.5, at=NOW),
    ]
    found = progress(make_run(), lines, NOW)
    assert (found.share, found.live, found.word, found.took) == (0.25, True, "running", 100.0)
    assert found.losses == ((10, 0.5),)
    assert [item.words for item in found.log] == [
        "step 30 · loss 0.100",
        "took the run",
        "step 10 · loss 0.500",
    ]


def test_a_run_that_ended_is_not_live() -> None:
    ended = make_run(state="failed", ended_at=NOW - timedelta(seconds=40))
    found = progress(ended, (), NOW)
    assert (found.live, found.word, found.took, found.left) == (False, "failed", 60.0, None)
    assert progress(make_run(state="requested", steps=0, started_at=None), (), NOW).share is None
    assert progress(make_run(revoked=True), (), NOW).word == "taken over"


@pytest.mark.parametrize(
    ("alias", "outcome", "deed"),
    [
        ("served", "promoted", "promoted version 5"),
        ("served", "rolled-back", "rolled back to version 5"),
        ("served", "refused", "wanted to serve version 5"),
        ("pinned", "unpinned", "unpinned version 5"),
        ("archived", "refused", "wanted to archive version 5"),
        ("policy", "auto", "set the policy to auto"),
        ("training", "paused", "paused training"),
        ("other", "strange", "strange version 5"),
    ],
)
def test_the_trail_speaks_in_sentences(alias: str, outcome: str, deed: str) -> None:
    row = AliasChange(
        alias=alias,
        outcome=outcome,
        from_version=4,
        to_version=5,
        actor="Ada",
        reason="why",
        verdict="HOLD",
        at=NOW,
    )
    found = line(row)
    assert found.deed == deed
    assert (found.refusal is not None) == (outcome == "refused")
    assert found.override == (outcome == "promoted")
    assert found.before == (4 if alias == "served" else None)
