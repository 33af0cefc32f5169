from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors

from model.base.decoder import Decoder
from model.base.load import LoadedBase, load_base
from model.cllmfs import gradients
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import Losses, TrainingRow, parts_of, training_rows
from model.cllmfs.method import Cllmfs
from model.cllmfs.objective import answer_weight, objective
from model.cllmfs.packing import Branch, pack
from model.cllmfs.prompt import PromptEncoder
from model.errors import OutOfMemoryError
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS = [Label("PER", "person"), Label("LOC", "place")]
ITEMS = [
    AnnotatedText("we met Ben in Oslo today", (Span(7, 10, "PER"), Span(14, 18, "LOC"))),
    AnnotatedText("nobody was there"),
    AnnotatedText("did Anna see the old bridge", (Span(4, 8, "PER"),)),
]


@pytest.fixture
def base(tiny_base: Path) -> LoadedBase:
    return load_base(tiny_base, str(tiny_base))


def rows_of(base: LoadedBase, absent_weight: float = 1.0) -> list[TrainingRow]:
    encoder = PromptEncoder(base.tokenizer)
    return [
        row
        for item in ITEMS
        for row in training_rows(
            item, LABELS, encoder, Losses(), window=100, group=16, absent_weight=absent_weight
        )
    ]


def losses_of(base: LoadedBase, rows: list[TrainingRow]) -> tuple[float, float | None]:
    config = CllmfsConfig(noise_scale=0.0)
    found = objective(
        base,
        Decoder(base.model),
        None,
        rows,
        config,
        padding=0,
        noise=torch.Generator().manual_seed(1),
    )
    return float(found.answer), None if found.contrast is None else float(found.contrast)


def row_of(length: int) -> TrainingRow:
    return TrainingRow(pack([1] * (length - 2), [Branch((2,), (3,))]), ())


def test_parts_hold_similar_lengths_within_the_limit() -> None:
    """Limit 50: 10 and 16 fit (2 * 16), with 17 they would be 3 * 17 = 51; 200 stands alone."""
    rows = [row_of(200), row_of(16), row_of(17), row_of(10)]
    parts = parts_of(rows, 50)
    assert [[len(row.pack.ids) for row in part] for part in parts] == [[10, 16], [17], [200]]


def test_padding_and_company_change_no_loss(base: LoadedBase) -> None:
    """The loss of a batch is the weighted mean of the losses of its rows alone."""
    rows = rows_of(base)
    together, contrast = losses_of(base, rows)
    alone = [losses_of(base, [row])[0] for row in rows]
    weights = [answer_weight(row) for row in rows]
    mean = sum(loss * weight for loss, weight in zip(alone, weights, strict=True)) / sum(weights)
    assert together == pytest.approx(mean, rel=1e-5)
    assert contrast is not None


def test_rows_without_mentions_have_no_contrast_and_without_weight_no_loss(
    base: LoadedBase,
) -> None:
    empty = rows_of(base)[1]
    assert losses_of(base, [empty])[1] is None
    unweighted = rows_of(base, absent_weight=0.0)[1]
    assert losses_of(base, [unweighted]) == (0.0, None)


def test_a_step_in_parts_equals_a_step_in_one(tiny_base: Path, tiny_adapter: AdapterFiles) -> None:
    config = CllmfsConfig(max_steps=3, min_steps=3, batch=3, dropout=0.0, noise_scale=0.0)
    reports, weights = [], []
    for limit in (10_000, 1):
        own = replace(config, batch_tokens=limit)
        method = Cllmfs(load_base(tiny_base, str(tiny_base)), own)
        fitted = method.fit(ITEMS, _label_set(), start=tiny_adapter, seed=1)
        reports.append(fitted.report)
        weights.append(load_tensors(fitted.files["adapter_model.safetensors"]))
    for name in ("loss", "answer_loss", "contrast_loss"):
        assert reports[0][name] == pytest.approx(reports[1][name], rel=1e-3)
    start = load_tensors(tiny_adapter["adapter_model.safetensors"])
    for name, whole in weights[0].items():
        moved = (whole - start[name]).float().norm()
        assert moved > 0
        assert (whole - weights[1][name]).float().norm() < 0.05 * moved, name


def test_a_step_without_memory_is_read_again_in_smaller_parts(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pass of the run fails once; parts are then half as large and the run goes on."""
    config = CllmfsConfig(max_steps=3, min_steps=3, batch=3, dropout=0.0, noise_scale=0.0)
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    expected = method.fit(ITEMS, _label_set(), start=tiny_adapter, seed=1).report
    sizes: list[int] = []
    held: list[weakref.ref[torch.Tensor]] = []

    def failing(*arguments: Any, **named: Any) -> Any:
        sizes.append(len(arguments[3]))
        if len(sizes) == 1:
            states = torch.zeros(10)
            held.append(weakref.ref(states))
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        assert held[0]() is None  # what the failed pass held is free before the next one
        assert arguments[4].checkpointing
        return objective(*arguments, **named)

    monkeypatch.setattr(gradients, "objective", failing)
    report = method.fit(ITEMS, _label_set(), start=tiny_adapter, seed=1).report
    assert sizes[0] == 3
    assert max(sizes[1:]) < 3
    assert report["loss"] == pytest.approx(expected["loss"], rel=1e-3)


def test_a_second_lack_of_memory_ends_the_run_with_its_reason(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), CllmfsConfig(max_steps=2, min_steps=1))

    def failing(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(gradients, "objective", failing)
    with pytest.raises(OutOfMemoryError, match="small parts"):
        method.fit(ITEMS, _label_set(), start=tiny_adapter, seed=1)


def _label_set() -> LabelSet:
    return LabelSet(tuple(LABELS))
