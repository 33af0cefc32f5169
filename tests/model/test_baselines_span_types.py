from __future__ import annotations

import pytest
import torch

from model.baselines.recipe import Question
from model.baselines.span_types import TypeMemory, runs_of, type_memory, typed_spans
from model.encoding.words import Piece
from model.spans import Label, LabelSet

LABELS = LabelSet((Label("PER"), Label("LOC")))
BOTH = Question(LABELS, frozenset(("PER", "LOC")))
PIECE = Piece((2, 5, 6, 7, 3), (1, 2, 3), ((0, 3), (4, 7), (8, 12)))
NAMES = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def test_runs_are_words_of_one_tag() -> None:
    assert runs_of([0, 1, 1, 2, 0, 2]) == [(1, 3), (3, 4), (5, 6)]
    assert runs_of([]) == []


def test_a_type_is_its_name_and_the_mean_of_its_spans() -> None:
    """PER has the spans (4, 0), (2, 0) with mean (3, 0) and (5, 2): together (4, 1). The lowest
    product of a word with its name (1, 0) is 2. LOC has no span: its name stands for it."""
    states = [torch.tensor([[4.0, 0.0], [2.0, 0.0], [9.0, 9.0]]), torch.tensor([[5.0, 2.0]])]
    memory = type_memory(states, [[1, 1, 0], [1]], NAMES)
    assert memory.means.tolist() == [[4.0, 1.0], [0.0, 1.0]]
    assert float(memory.threshold) == 2.0


def test_a_doubtful_span_is_dropped() -> None:
    """Prototype sums: PER (1, 0) + (3, 0) = (4, 0), LOC (0, 1) + (0, 1) = (0, 2); threshold 2.

    Run (0, 1) at (1, 0): best product 4, half of it 2: kept as PER. Run (2, 3) at (0, 1.5): best 3,
    half 1.5: dropped.
    """
    types = TypeMemory(NAMES, torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor(2.0))
    vectors = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.5]])
    inside = torch.tensor([[0.2, 0.8], [0.9, 0.1], [0.4, 0.6]])
    found = typed_spans(PIECE, [(0, 1), (2, 3)], inside, vectors, types, BOTH)
    assert [span.key for span in found.spans] == [(0, 3, "PER")]
    share = float(torch.tensor([4.0, 0.0]).softmax(0)[0])
    assert found.spans[0].score == pytest.approx(0.8 * share)
    assert found.score == pytest.approx(0.6)
    only = typed_spans(
        PIECE, [(0, 1)], inside, vectors, types, Question(LABELS, frozenset(["LOC"]))
    )
    assert only.spans == []
