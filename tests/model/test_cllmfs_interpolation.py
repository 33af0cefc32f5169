from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors

from model.base.load import load_base
from model.cllmfs.asking import Asker
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.interpolation import interpolated, share_kept
from model.cllmfs.method import Cllmfs
from model.method import AdapterFiles, Fitted
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS = LabelSet((Label("PER", "person"),))
ITEMS = [
    AnnotatedText("we met Ben in Oslo today", (Span(7, 10, "PER"), Span(14, 18, "LOC"))),
    AnnotatedText("did Anna see the old bridge", (Span(4, 8, "PER"),)),
]


@pytest.mark.parametrize(
    ("f1", "texts", "trust", "share"),
    [
        (0.6, 20, 1.0, 0.4),  # 0.6 * 20 / 30
        (0.6, 50, 1.0, 0.5),  # 0.6 * 50 / 60
        (0.6, 590, 1.0, 0.05),  # 0.6 * 50 / 600
        (0.6, 20, 0.5, 0.2),
        (0.0, 20, 1.0, 0.0),
        (1.0, 50, 9.0, 1.0),  # never more than all of it
    ],
)
def test_the_share_kept(f1: float, texts: int, trust: float, share: float) -> None:
    assert share_kept(f1, texts, trust) == pytest.approx(share)


def test_weights_lie_between_start_and_trained() -> None:
    """0.25 * 8 + 0.75 * 0 = 2."""
    start, trained = {"a": torch.tensor([8.0])}, {"a": torch.tensor([0.0])}
    assert interpolated(start, trained, 0.25)["a"].tolist() == [2.0]
    assert interpolated(start, trained, 0.0)["a"].tolist() == [0.0]


def test_matrices_that_were_not_trained_may_be_bfloat16() -> None:
    """They are the start's own, as they were read: whatever is kept, they stay."""
    start = {"a": torch.tensor([8.0], dtype=torch.bfloat16)}
    assert interpolated(start, start, 0.25)["a"].tolist() == [8.0]


def fitted(tiny_base: Path, start: AdapterFiles, trust: float) -> Fitted:
    config = CllmfsConfig(max_steps=3, min_steps=3, trust=trust)
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    return method.fit(ITEMS, LABELS, start=start, seed=1)


def test_a_start_that_finds_everything_is_kept_by_its_share(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1 1 on two texts: 1 * 2 / 12 of the start. Spans of labels not asked do not count."""
    plain = fitted(tiny_base, tiny_adapter, 0.0)
    assert plain.report["kept"] == 0

    def perfect(self: object, count: int, *_: object) -> list[AnnotatedText]:
        asked = [tuple(s for s in item.spans if s.label == "PER") for item in ITEMS]
        return [AnnotatedText(item.text, own) for item, own in zip(ITEMS, asked, strict=True)]

    monkeypatch.setattr(Asker, "predictions", perfect)
    # the order of the texts read is drawn, so they are read in the order they have here
    monkeypatch.setattr(random.Random, "sample", lambda _, items, k: list(items)[:k])
    kept = fitted(tiny_base, tiny_adapter, 1.0)
    assert kept.report["kept"] == pytest.approx(1 / 6)
    start = load_tensors(tiny_adapter["adapter_model.safetensors"])
    trained = load_tensors(plain.files["adapter_model.safetensors"])
    for name, tensor in load_tensors(kept.files["adapter_model.safetensors"]).items():
        expected = start[name].float() / 6 + trained[name].float() * 5 / 6
        torch.testing.assert_close(tensor.float(), expected, rtol=1e-2, atol=1e-3)
