from __future__ import annotations

from dataclasses import replace

from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import TrainingRow
from model.cllmfs.packing import Branch, pack
from model.cllmfs.schedule import few_shot_batches


def test_few_shot_batches_are_whole_passes() -> None:
    """3 texts in batches of 2 are 2 steps a pass; at least 5 steps means a third pass is cut."""
    texts = [[row] for row in _rows(3)]
    config = CllmfsConfig(batch=2, epochs=1, min_steps=5, max_steps=9)
    batches = few_shot_batches(texts, config, seed=1)
    assert [len(batch) for batch in batches] == [2, 1, 2, 1, 2]
    assert sorted(map(id, [*batches[0], *batches[1]])) == sorted(id(rows[0]) for rows in texts)
    assert len(few_shot_batches(texts, replace(config, epochs=50), seed=1)) == 9


def test_a_step_holds_the_same_texts_however_many_rows_they_are() -> None:
    """Texts of 2, 0 and 3 rows: the empty one is left out, so a pass of batches of 1 is 2 steps."""
    rows = _rows(5)
    config = CllmfsConfig(batch=1, epochs=1, min_steps=1, max_steps=9)
    batches = few_shot_batches([rows[:2], [], rows[2:]], config, seed=1)
    assert sorted(map(len, batches)) == [2, 3]


def _rows(number: int) -> list[TrainingRow]:
    return [TrainingRow(pack([1], [Branch((2,), (3 + n,))]), ()) for n in range(number)]
