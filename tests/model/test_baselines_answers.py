from __future__ import annotations

import math

import pytest
import torch

from model.baselines.answers import bio_answers, io_answers
from model.baselines.recipe import Question
from model.encoding.words import Piece
from model.spans import Label, LabelSet

LABELS = LabelSet((Label("PER"), Label("LOC")))
BOTH = Question(LABELS, frozenset(("PER", "LOC")))
PIECE = Piece((2, 5, 6, 3), (1, 2), ((0, 3), (4, 9)))
NONE = float("-inf")


def test_the_best_class_of_each_word_makes_spans() -> None:
    """Words: PER with odds 3 to 1 (0.75), then O alone (1)."""
    scores = torch.tensor([[0.0, math.log(3), NONE], [0.0, NONE, NONE]])
    answer = io_answers([scores], [PIECE], BOTH)[0]
    assert [span.key for span in answer.spans] == [(0, 3, "PER")]
    assert answer.spans[0].score == pytest.approx(0.75)
    assert answer.score == pytest.approx(0.75)


def test_what_is_not_asked_is_not_answered() -> None:
    scores = torch.tensor([[0.0, 5.0, 2.0], [0.0, -5.0, -6.0]])
    only = io_answers([scores], [PIECE], Question(LABELS, frozenset(["LOC"])))[0]
    assert [span.key for span in only.spans] == [(0, 3, "LOC")]
    # a support set in which every word is a PER says nothing of LOC, and nothing of O
    blank = torch.tensor([[NONE, 0.0, NONE]] * 2)
    assert io_answers([blank], [PIECE], Question(LABELS, frozenset(["LOC"])))[0].spans == []


def test_a_path_may_pick_the_tags() -> None:
    scores = torch.tensor([[0.0, 5.0, 2.0]] * 2)
    answer = io_answers([scores], [PIECE], BOTH, lambda shares: [0, 2])[0]
    assert [span.key for span in answer.spans] == [(4, 9, "LOC")]


def test_bio_keeps_neighbours_apart() -> None:
    """Both words begin a PER (tag 1)."""
    scores = torch.tensor([[0.0, 9.0, 0.0, 0.0, 0.0]] * 2)
    answer = bio_answers([scores], [PIECE], BOTH)[0]
    assert [span.key for span in answer.spans] == [(0, 3, "PER"), (4, 9, "PER")]
    only = bio_answers([scores], [PIECE], Question(LABELS, frozenset(["LOC"])))[0]
    assert only.spans == []
