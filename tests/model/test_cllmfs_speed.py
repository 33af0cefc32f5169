from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from model.base.load import load_base
from model.cllmfs import speed
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.prompt import PromptEncoder
from model.spans import Label, LabelSet


def test_tokens_are_counted_where_they_enter_the_model(tiny_base: Path) -> None:
    base = load_base(tiny_base, str(tiny_base))
    with speed.counted_tokens(base) as count:
        base.decoder(input_ids=torch.tensor([[1, 2, 3], [4, 5, 6]]))
        base.decoder(input_ids=torch.tensor([[7]]))
    base.decoder(input_ids=torch.tensor([[8]]))
    assert count.tokens == 7


def test_the_products_of_a_block_are_timed_together(tiny_base: Path) -> None:
    base = load_base(tiny_base, str(tiny_base))
    shapes = speed.product_shapes(base)
    assert shapes == [(64, 64 + 32 + 32), (64, 64), (64, 256), (128, 64)]
    layers: Any = base.model.get_decoder().layers
    assert speed.block_parameters(base) == len(layers) * sum(a * b for a, b in shapes)
    one = speed.matrix_rate(base, torch.float32, tokens=64, rounds=3, seconds=0.01)
    assert one > 1e6


def test_a_rate_counts_two_operations_per_weight_and_token(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that moves 1 s per look: 2 * 8 tokens * 28672 weights in one second."""
    base = load_base(tiny_base, str(tiny_base))
    ticks = iter(range(1000))

    def clock() -> float:
        return float(next(ticks))

    monkeypatch.setattr("model.cllmfs.speed.time.perf_counter", clock)
    rate = speed.matrix_rate(base, torch.float32, tokens=8, rounds=1, seconds=0.5)
    weights = 64 * 128 + 64 * 64 + 64 * 256 + 128 * 64
    # began at one look, one more to see that the round is over, one more for its length
    assert rate == pytest.approx(2 * 8 * weights / 2)


def test_prompt_tokens_are_those_of_the_text_once_and_of_every_question(tiny_base: Path) -> None:
    encoder = PromptEncoder(load_base(tiny_base, str(tiny_base)).tokenizer)
    labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
    text = "Anna met Ben."
    (window,) = encoder.windows(text, limit=100)
    asked = sum(len(encoder.question(label, descriptions=True).ids) for label in labels.labels)
    config = CllmfsConfig()
    found = speed.prompt_tokens(config, encoder, [text, text], labels)
    assert found == 2 * (len(window.ids) + asked)
    single = speed.prompt_tokens(CllmfsConfig(packed=False), encoder, [text], labels)
    assert single == 2 * len(window.ids) + asked
