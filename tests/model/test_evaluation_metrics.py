from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from model.data.conll import annotated, read_conll
from model.evaluation.metrics import Counts, count, merged, score
from model.spans import AnnotatedText, Span

TAGS = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])
WORDS = st.sampled_from(["a", "Ann", "東京", "🙂", "e\u0301", "\u2028", "--", "«"])


def test_counts_and_scores() -> None:
    """3 predicted, 4 gold, 2 correct: P = 2/3, R = 1/2, F1 = 2 * 2 / (3 + 4) = 4/7."""
    gold = [Span(0, 1, "X"), Span(2, 3, "X"), Span(4, 5, "Y"), Span(6, 7, "Y")]
    predicted = [Span(0, 1, "X", 0.3), Span(2, 3, "Y"), Span(4, 5, "Y")]
    counts = count(gold, predicted)
    assert counts == Counts(2, 3, 4)
    assert counts.precision == pytest.approx(2 / 3)
    assert counts.recall == pytest.approx(1 / 2)
    assert counts.f1 == pytest.approx(4 / 7)


def test_nothing_at_all_scores_zero_and_doubles_count_once() -> None:
    assert Counts().f1 == Counts().precision == Counts().recall == 0.0
    assert count([Span(0, 1, "X")], [Span(0, 1, "X"), Span(0, 1, "X")]) == Counts(1, 1, 1)


def test_io_merges_adjacent_spans_of_one_label() -> None:
    text = "Ann Bea met Cyd"
    spans = [Span(0, 3, "X"), Span(4, 7, "X"), Span(12, 15, "X"), Span(4, 7, "Y")]
    assert {span.key for span in merged(spans, text)} == {
        *((0, 7, "X"), (12, 15, "X"), (4, 7, "Y")),
    }


def test_a_run_is_counted_by_text_and_by_label() -> None:
    """Text 1: one of two right, wrong boundary on the other. Text 2: an invented Y.

    io: in text 1 the gold spans touch, so gold is one span (0, 7), which nobody predicted.
    """
    scores = score(
        ["Ann Bea", "nobody"],
        [[Span(0, 3, "X"), Span(4, 7, "X")], []],
        [[Span(0, 3, "X"), Span(5, 7, "X")], [Span(0, 6, "Y")]],
    )
    assert scores.micro == Counts(1, 3, 2)
    assert scores.per_text == (Counts(1, 2, 2), Counts(0, 1, 0))
    assert scores.per_label == {"X": Counts(1, 2, 2), "Y": Counts(0, 1, 0)}
    assert scores.io == Counts(0, 3, 1)
    assert scores.type_blind == Counts(1, 3, 2)
    assert scores.false_nonempty == 1


def test_boundaries_and_wrongly_asked_labels() -> None:
    """Boundaries (0, 3) and (4, 7), both predicted, one of them twice: 2 of 2 of 2.

    False non-empty answers: Y and Z in the first text (two spans of Z count once), X in the second.
    """
    scores = score(
        ["Ann Bea", "nobody"],
        [[Span(0, 3, "X"), Span(4, 7, "X")], []],
        [
            [Span(0, 3, "Y"), Span(0, 3, "Z"), Span(4, 7, "Z")],
            [Span(0, 6, "X")],
        ],
    )
    assert scores.type_blind == Counts(2, 3, 2)
    assert scores.false_nonempty == 3
    assert scores.micro == Counts(0, 4, 2)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        score(["a"], [], [])


@given(st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1, max_size=5))
def test_equal_to_seqeval_in_strict_mode(rows: list[list[tuple[str, str]]]) -> None:
    gold = [_valid([tag for tag, _ in row]) for row in rows]
    predicted = [_valid([tag for _, tag in row]) for row in rows]
    texts = [annotated([f"w{n}" for n in range(len(row))], row) for row in gold]
    found = [annotated([f"w{n}" for n in range(len(row))], row) for row in predicted]
    scores = score(
        [item.text for item in texts], [i.spans for i in texts], [i.spans for i in found]
    )
    options = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    assert scores.micro.f1 == pytest.approx(f1_score(gold, predicted, **options))
    assert scores.micro.precision == pytest.approx(precision_score(gold, predicted, **options))
    assert scores.micro.recall == pytest.approx(recall_score(gold, predicted, **options))


@given(rows=st.lists(st.lists(st.tuples(WORDS, TAGS, TAGS), min_size=1, max_size=8), min_size=1))
def test_files_on_disk_score_as_seqeval_scores_their_tags(
    rows: list[list[tuple[str, str, str]]],
) -> None:
    gold = [_valid([tag for _, tag, _ in row]) for row in rows]
    predicted = [_valid([tag for _, _, tag in row]) for row in rows]
    words = [[word for word, _, _ in row] for row in rows]
    with TemporaryDirectory() as folder:
        wanted, found = (
            _through_a_file(Path(folder) / "a.conll", words, tags) for tags in (gold, predicted)
        )
    micro = score(
        [item.text for item in wanted], [i.spans for i in wanted], [i.spans for i in found]
    ).micro
    assert micro.f1 == pytest.approx(
        f1_score(gold, predicted, mode="strict", scheme=IOB2, zero_division=0)
    )


def _through_a_file(
    path: Path, words: list[list[str]], tags: list[list[str]]
) -> list[AnnotatedText]:
    path.write_bytes(
        "\r\n\r\n".join(
            "\r\n".join(f"{word}\t{tag}" for word, tag in zip(*row, strict=True))
            for row in zip(words, tags, strict=True)
        ).encode()
    )
    return read_conll(path)


def _valid(tags: list[str]) -> list[str]:
    """Turn a dangling I- into B-: strict IOB2 knows no others."""
    fixed: list[str] = []
    for tag in tags:
        follows = bool(fixed) and fixed[-1][1:] == tag[1:] and fixed[-1] != "O"
        fixed.append(tag if not tag.startswith("I") or follows else f"B{tag[1:]}")
    return fixed
