from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.errors import AdapterError
from model.spans import AnnotatedText, Label, LabelSet, Span

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]
needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
SUPPORT = [
    AnnotatedText("Anna Smith met Ben in Paris.", (Span(0, 10, "PER"), Span(22, 27, "LOC"))),
    AnnotatedText("The old bridge in Oslo was closed.", (Span(18, 22, "LOC"),)),
    AnnotatedText("There is nobody here.", ()),
]
LEARNING = replace(
    CllmfsConfig(), rank=4, rate=1e-2, max_steps=100, min_steps=100, dropout=0.0, pull=0.0
)


def test_a_base_goes_to_the_gpu_in_half_precision(tiny_base: Path) -> None:
    base = load_base(tiny_base, str(tiny_base))
    assert base.device.type == "cuda"
    assert base.dtype in (torch.bfloat16, torch.float16)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_fit_on_the_gpu_learns_its_support(tiny_base: Path, checkpointing: bool) -> None:
    method = Cllmfs(
        load_base(tiny_base, str(tiny_base)), replace(LEARNING, checkpointing=checkpointing)
    )
    fitted = method.fit(SUPPORT, LABELS, start=method.fresh_adapter(seed=0).files, seed=1)
    method.load("fitted", fitted.files)
    found = method.predict([item.text for item in SUPPORT], LABELS, adapter="fitted")
    for item, prediction in zip(SUPPORT, found, strict=True):
        assert {span.key for span in prediction.spans} == {span.key for span in item.spans}


def test_an_adapter_trained_on_the_gpu_answers_alike_on_the_cpu(tiny_base: Path) -> None:
    there = Cllmfs(load_base(tiny_base, str(tiny_base)), LEARNING)
    files = there.fit(SUPPORT, LABELS, start=there.fresh_adapter(seed=0).files, seed=1).files
    here = Cllmfs(load_base(tiny_base, str(tiny_base), device="cpu"), LEARNING)
    here.load("fitted", files)
    found = here.predict([item.text for item in SUPPORT], LABELS, adapter="fitted")
    for item, prediction in zip(SUPPORT, found, strict=True):
        assert {span.key for span in prediction.spans} == {span.key for span in item.spans}


@needs_bitsandbytes
def test_a_base_in_4_bits_learns_and_is_another_base(tiny_base: Path) -> None:
    plain = Cllmfs(load_base(tiny_base, str(tiny_base)), LEARNING)
    small = Cllmfs(load_base(tiny_base, f"{tiny_base}+4bit"), LEARNING)
    fitted = small.fit(SUPPORT, LABELS, start=small.fresh_adapter(seed=0).files, seed=1)
    assert fitted.report["answer_loss"] < 1.0
    with pytest.raises(AdapterError, match="base"):
        plain.load("fitted", fitted.files)
