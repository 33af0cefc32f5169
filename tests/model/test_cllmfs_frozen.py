from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors

from model.base.decoder import Decoder
from model.base.load import load_base
from model.cllmfs import frozen, training
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.errors import OutOfMemoryError
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
ITEMS = [
    AnnotatedText("we met Ben in Oslo today", (Span(7, 10, "PER"), Span(14, 18, "LOC"))),
    AnnotatedText("nobody was there"),
    AnnotatedText("did Anna see the old bridge", (Span(4, 8, "PER"),)),
]
UPPER = CllmfsConfig(trained_share=0.5, max_steps=6, min_steps=6, batch=2, noise_scale=0.0)


def fitted(tiny_base: Path, start: AdapterFiles, config: CllmfsConfig) -> dict[str, torch.Tensor]:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    files = method.fit(ITEMS, LABELS, start=start, seed=1).files
    return load_tensors(files["adapter_model.safetensors"])


def test_states_read_once_train_the_same_matrices(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the same run whose every step reads all blocks."""
    kept = fitted(tiny_base, tiny_adapter, UPPER)
    monkeypatch.setattr(training, "_frozen", lambda *_: None)
    read = fitted(tiny_base, tiny_adapter, UPPER)
    start = load_tensors(tiny_adapter["adapter_model.safetensors"])
    for name, tensor in read.items():
        torch.testing.assert_close(kept[name], tensor, rtol=1e-2, atol=1e-4)
        if ".layers.0." in name:
            assert torch.equal(kept[name].float(), start[name].float())
    assert any(not torch.equal(kept[name], start[name]) for name in kept)


def test_the_lower_blocks_read_each_text_once(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three texts of one row each, six steps of two texts: the lower block sees three rows."""
    rows = 0
    whole = Decoder.states_below

    def counted(
        self: Decoder, blocks: int, ids: Any, positions: Any, grid: Any, **more: Any
    ) -> Any:
        nonlocal rows
        rows += len(set(grid.rows.tolist()))
        assert blocks == 1
        return whole(self, blocks, ids, positions, grid, **more)

    monkeypatch.setattr(Decoder, "states_below", counted)
    fitted(tiny_base, tiny_adapter, UPPER)
    assert rows == len(ITEMS)


def test_the_contrastive_term_keeps_its_block(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads block 1, so no block may be left out although only block 2 is trained."""
    firsts: list[Any] = []
    monkeypatch.setattr(training, "FrozenStates", lambda *arguments, **_: firsts.append(arguments))
    config = CllmfsConfig(trained_share=0.5, max_steps=1, min_steps=1, depth=0.25)
    fitted(tiny_base, tiny_adapter, config)
    assert not firsts


def test_rows_that_do_not_fit_together_are_read_one_by_one(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fitted(tiny_base, tiny_adapter, UPPER)
    whole = Decoder.states_below

    def short(self: Decoder, blocks: int, ids: Any, positions: Any, grid: Any, **more: Any) -> Any:
        if len(set(grid.rows.tolist())) > 1:
            raise MemoryError
        return whole(self, blocks, ids, positions, grid, **more)

    monkeypatch.setattr(Decoder, "states_below", short)
    for name, tensor in fitted(tiny_base, tiny_adapter, UPPER).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-4)


def test_one_row_that_does_not_fit_ends_the_run(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "unless_short", lambda _: None)
    with pytest.raises(OutOfMemoryError):
        fitted(tiny_base, tiny_adapter, UPPER)
