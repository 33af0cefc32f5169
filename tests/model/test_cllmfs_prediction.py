from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.base.attention import Grid, KeyValues
from model.base.load import load_base
from model.cllmfs import answering, prediction
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.errors import OutOfMemoryError
from model.spans import AnnotatedText, Label, LabelSet, Prediction, Span

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place"), Label("DAY", "day")))
TRAINED = [
    AnnotatedText(
        "Anna met Ben in Paris.", (Span(0, 4, "PER"), Span(9, 12, "PER"), Span(16, 21, "LOC"))
    ),
    AnnotatedText("Monday in Oslo: Anna Smith sang.", (Span(0, 6, "DAY"), Span(16, 26, "PER"))),
    AnnotatedText("There is nobody here.", ()),
]
TEXTS = [
    "Anna met Ben.",
    "There is nobody here.",
    "Ben Smith met Anna Paris in Oslo on Monday and Ben in Paris.",
    "",
    "Oslo",
    "Monday in Paris: Ben Smith sang. " * 4,
    "There is Anna here and Ben is not.",
    "In Paris and Oslo Anna Smith sang on Monday (again) and Ben met Anna.",
    "nobody sang",
    "Monday Monday Monday Anna Anna Ben",
]


@pytest.fixture(scope="module")
def method(tiny_base: Path) -> Cllmfs:
    config = replace(
        CllmfsConfig(),
        rank=8,
        alpha=16,
        rate=1e-2,
        max_steps=60,
        min_steps=60,
        dropout=0.0,
        pull=0.0,
    )
    found = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    start = found.fresh_adapter(seed=0).files
    found.load("own", found.fit(TRAINED, LABELS, start=start, seed=1).files)
    return found


@pytest.fixture
def alone(method: Cllmfs) -> list[Prediction]:
    """Every text predicted by itself."""
    return [method.predict([text], LABELS, adapter="own")[0] for text in TEXTS]


def same(found: list[Prediction], expected: list[Prediction]) -> bool:
    pairs = list(zip(found, expected, strict=True))
    return all([s.key for s in a.spans] == [s.key for s in b.spans] for a, b in pairs) and all(
        abs(a.score - b.score) < 1e-3 for a, b in pairs
    )


@pytest.mark.parametrize("tokens", [1, 60, 2048])
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_answers_do_not_depend_on_how_texts_are_read_together(
    method: Cllmfs,
    alone: list[Prediction],
    tokens: int,
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prediction, "PREFILL_TOKENS", tokens)
    monkeypatch.setattr(prediction, "_DECODED_ROWS", rows)
    assert sum(len(own.spans) for own in alone) > 5
    assert same(method.predict(TEXTS, LABELS, adapter="own"), alone)


def counted(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[Any]:
    """What a method of a class returns from now on."""
    original: Callable[..., Any] = getattr(owner, name)
    returned: list[Any] = []

    def wrapper(*arguments: Any, **options: Any) -> Any:
        returned.append(original(*arguments, **options))
        return returned[-1]

    monkeypatch.setattr(owner, name, wrapper)
    return returned


def test_rows_move_grow_and_are_cut_without_a_trace(
    method: Cllmfs, alone: list[Prediction], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With little memory taken ahead, and rows of very unequal numbers of new tokens."""
    monkeypatch.setattr(prediction, "PREFILL_TOKENS", 60)
    monkeypatch.setattr(prediction, "_ANSWER_TOKENS", 0)
    moves = counted(monkeypatch, KeyValues, "move")
    rooms = counted(monkeypatch, KeyValues, "_with_room")
    mixed = counted(monkeypatch, Grid, "followed_by")
    grids: list[Grid] = []
    original = Grid.of

    def of(*arguments: Any, **options: Any) -> Grid:
        grids.append(original(*arguments, **options))
        return grids[-1]

    monkeypatch.setattr(Grid, "of", of)
    assert same(method.predict(TEXTS, LABELS, adapter="own"), alone)
    assert moves
    assert len({buffer.shape[2] for buffer in rooms}) > 1
    assert any(len(grid.parts) == 2 for grid in grids)
    assert mixed  # answers went on beside new texts
    for grid in [*grids, *mixed]:
        count = sum(len(part.places) for part in grid.parts)
        assert count == len(grid.rows)


def test_few_long_rows_are_cut_where_it_saves_scores() -> None:
    """Eight rows of 1 and one of 6 new tokens: 9 * 1 + 1 * (5 + 2) = 16 columns instead of 54."""
    counts = [1] * 4 + [6] + [1] * 4
    rows = torch.arange(9).repeat_interleave(torch.tensor(counts))
    columns = torch.cat([torch.arange(count) for count in counts])
    mask = torch.ones(9, 6, 6, dtype=torch.bool)
    grid = Grid.of(rows, columns, columns, mask, torch.float32, uneven=True)
    near, far = grid.parts
    assert near.bias.shape == (9, 1, 6)
    assert far.bias.shape == (1, 5, 6)
    assert tokens(far.rows) == [4]
    assert tokens(far.tokens) == [5, 6, 7, 8, 9]
    assert tokens(near.tokens) == [0, 1, 2, 3, 4, 10, 11, 12, 13]
    assert tokens(far.places) == [0, 1, 2, 3, 4]
    even = Grid.of(rows[:4], columns[:4], columns[:4], mask[:4, :1], torch.float32, uneven=True)
    assert len(even.parts) == 1


def tokens(numbers: slice | Tensor) -> list[int]:
    assert isinstance(numbers, Tensor)
    found: list[int] = numbers.tolist()
    return found


def test_without_memory_for_all_texts_they_are_answered_few_by_few(
    method: Cllmfs, alone: list[Prediction], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    plain = prediction.answers

    def short(reader: Any, prompts: Any, automata: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > limit:
            raise torch.OutOfMemoryError
        return plain(reader, prompts, automata)

    monkeypatch.setattr(answering, "answers", short)
    limit = 4
    assert same(method.predict(TEXTS, LABELS, adapter="own"), alone)
    assert sizes == [10, 4, 4, 2]
    limit = 0
    with pytest.raises(OutOfMemoryError):
        method.predict(TEXTS, LABELS, adapter="own")
