from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors

from model.base.load import load_base
from model.base.side_by_side import side_by_side
from model.cllmfs import answering, gradients
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.examples import TrainingRow
from model.cllmfs.gradients import dealt_out
from model.cllmfs.method import Cllmfs
from model.cllmfs.packing import Branch, pack
from model.method import AdapterFiles, Fitted
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
ITEMS = [
    AnnotatedText("we met Ben in Oslo today", (Span(7, 10, "PER"), Span(14, 18, "LOC"))),
    AnnotatedText("nobody was there"),
    AnnotatedText("did Anna see the old bridge", (Span(4, 8, "PER"),)),
]
CONFIG = CllmfsConfig(max_steps=4, min_steps=4, batch=3, noise_scale=0.0)


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def fitted(
    tiny_base: Path, start: AdapterFiles, threads: int, config: CllmfsConfig = CONFIG
) -> Fitted:
    torch.set_num_threads(threads)
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    return method.fit(ITEMS, LABELS, start=start, seed=1)


def test_lanes_get_about_as_many_tokens() -> None:
    """Longest first to the emptier share: 9; 7 + 5 to the other; then 4 to the first."""
    rows = [TrainingRow(pack([1] * (n - 2), [Branch((2,), (3,))]), ()) for n in (5, 9, 4, 7)]
    dealt = dealt_out(rows, 2)
    assert [[len(row.pack.ids) for row in share] for share in dealt] == [[9, 4], [7, 5]]
    assert dealt_out(rows, 1) == [rows]


def test_threads_share_a_step_without_changing_its_mean(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    """Three texts in one share and in three: the same losses and matrices up to rounding."""
    alone, shared = (fitted(tiny_base, tiny_adapter, threads) for threads in (1, 3))
    for name in ("loss", "answer_loss", "contrast_loss"):
        assert shared.report[name] == pytest.approx(alone.report[name], rel=1e-3)
    expected = load_tensors(alone.files["adapter_model.safetensors"])
    start = load_tensors(tiny_adapter["adapter_model.safetensors"])
    assert any(not torch.equal(expected[name], start[name]) for name in start)
    for name, tensor in load_tensors(shared.files["adapter_model.safetensors"]).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-4)


def test_equal_threads_give_equal_bytes_with_noise_too(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    noisy = replace(CONFIG, noise_scale=0.3)
    first, second = (fitted(tiny_base, tiny_adapter, 2, noisy).files for _ in range(2))
    assert first == second


def test_dropout_stays_on_one_thread(tiny_base: Path, tiny_adapter: AdapterFiles) -> None:
    dropped = replace(CONFIG, dropout=0.2)
    first, second = (fitted(tiny_base, tiny_adapter, 3, dropped).files for _ in range(2))
    assert first == second


def test_texts_dealt_out_to_threads_get_the_same_answers(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [item.text for item in ITEMS] * 5 + [""]
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), CONFIG)
    method.load("x", tiny_adapter)
    torch.set_num_threads(1)
    expected = method.predict(texts, LABELS, adapter="x")
    torch.set_num_threads(3)
    monkeypatch.setattr(answering, "PREFILL_TOKENS", 64)
    shares: list[int] = []

    def counted(work: Sequence[Callable[[], Any]]) -> list[Any]:
        shares.append(len(work))
        return side_by_side(work)

    monkeypatch.setattr(answering, "side_by_side", counted)
    got = method.predict(texts, LABELS, adapter="x")
    assert shares == [3]
    for one, other in zip(got, expected, strict=True):
        assert [(s.start, s.end, s.label) for s in one.spans] == [
            (s.start, s.end, s.label) for s in other.spans
        ]
        assert one.score == pytest.approx(other.score, rel=1e-3)


def test_a_step_that_found_too_little_memory_is_read_by_one_share(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step fails in three shares; from then on one share reads all texts."""
    expected = fitted(tiny_base, tiny_adapter, 1).report["loss"]
    shares: list[int] = []

    def short(work: Sequence[Callable[[], Any]]) -> list[Any]:
        shares.append(len(work))
        if len(shares) == 1:
            raise MemoryError
        return side_by_side(work)

    monkeypatch.setattr(gradients, "side_by_side", short)
    report = fitted(tiny_base, tiny_adapter, 3).report
    assert shares == [3, 1, 1, 1, 1]
    assert report["loss"] == pytest.approx(expected, rel=1e-3)


def test_a_prediction_that_found_too_little_memory_is_read_by_one_share(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [item.text for item in ITEMS] * 5
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), CONFIG)
    method.load("x", tiny_adapter)
    torch.set_num_threads(3)
    expected = method.predict(texts, LABELS, adapter="x")
    calls: list[int] = []

    def short(work: Sequence[Callable[[], Any]]) -> list[Any]:
        calls.append(len(work))
        raise MemoryError

    monkeypatch.setattr(answering, "PREFILL_TOKENS", 64)
    monkeypatch.setattr(answering, "side_by_side", short)
    got = method.predict(texts, LABELS, adapter="x")
    assert calls == [3]
    for one, other in zip(got, expected, strict=True):
        assert [s.label for s in one.spans] == [s.label for s in other.spans]
