from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.base.load import load_base
from model.cllmfs.checkpoint import Checkpoint, CheckpointError
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Losses, TrainingRow, training_rows
from model.cllmfs.method import Cllmfs
from model.cllmfs.schedule import few_shot_batches
from model.method import AdapterFiles, Fitted, Progress
from model.spans import AnnotatedText, Label, Span

ITEMS = [
    AnnotatedText("we met Ben in Oslo today", (Span(7, 10, "PER"),)),
    AnnotatedText("nobody was there"),
    AnnotatedText("did Anna see the old bridge", (Span(4, 8, "PER"),)),
]
CONFIG = CllmfsConfig(max_steps=7, min_steps=7, batch=1, dropout=0.1, noise_scale=0.2)


class StoppedError(Exception):
    """The run is interrupted."""


def run(
    tiny_base: Path, start: AdapterFiles, checkpoint: Checkpoint | None, stop: int | None = None
) -> tuple[Fitted, list[int]]:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), CONFIG)
    counts = Losses()
    rows: list[TrainingRow] = []
    for item in ITEMS:
        rows += training_rows(
            item, [Label("PER", "person")], method.encoder, counts, window=99, group=9
        )
    steps: list[int] = []

    def told(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == stop:
            raise StoppedError

    batches = few_shot_batches([[row] for row in rows], CONFIG, seed=1)
    fitted = method.train_on(
        batches, counts, start=start, seed=3, checkpoint=checkpoint, on_step=told
    )
    return fitted, steps


def test_a_run_taken_up_again_gives_the_same_bytes(
    tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path
) -> None:
    """Kept every 2 steps and stopped in step 5, it goes on with step 5."""
    expected, _ = run(tiny_base, tiny_adapter, None)
    checkpoint = Checkpoint(tmp_path / "run.safetensors", {"seed": 3}, every=2)
    with pytest.raises(StoppedError):
        run(tiny_base, tiny_adapter, checkpoint, stop=5)
    resumed, steps = run(tiny_base, tiny_adapter, checkpoint)
    assert steps == [5, 6, 7]
    assert resumed.files == expected.files
    assert resumed.report["loss"] == expected.report["loss"]
    again, steps = run(tiny_base, tiny_adapter, checkpoint)
    assert steps == []
    assert again.files == expected.files


def test_the_checkpoint_of_another_run_and_a_damaged_one_are_refused(
    tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path
) -> None:
    checkpoint = Checkpoint(tmp_path / "run.safetensors", {"seed": 3, "steps": 7}, every=2)
    run(tiny_base, tiny_adapter, checkpoint)
    other = replace(checkpoint, run={"seed": 4, "steps": 7})
    with pytest.raises(CheckpointError, match="another seed"):
        run(tiny_base, tiny_adapter, other)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        run(tiny_base, tiny_adapter, checkpoint)
