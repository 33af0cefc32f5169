from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from model.base.attention import Grid, KeyValues
from model.base.decoder import Decoder, GroupLora
from model.base.load import LoadedBase, load_base
from model.base.merging import merged
from model.base.operations import add_lora, lora_linear, rms_norm, rotate, swiglu
from model.cllmfs.lora import LoraShape, expected_matrices
from model.cllmfs.lora_blocks import TrainedLora, block_loras
from model.errors import BaseModelError
from plain_reading import causal_grid, plain_logits

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
}
SCALED: dict[str, Any] = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
KINDS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "llama scaled positions": lambda: LlamaForCausalLM(scaled_config()),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=16)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None)),
}


def scaled_config() -> Any:
    factory: Any = LlamaConfig
    return factory(**SIZES, rope_scaling=SCALED)


IDS = torch.tensor([[5, 6, 7, 8, 9, 3, 1], [4, 4, 2, 1, 0, 9, 8]])


def made(kind: str) -> Any:
    torch.manual_seed(3)
    model = KINDS[kind]().eval()
    for name, parameter in model.named_parameters():
        if "norm" in name or "bias" in name:
            nn.init.normal_(parameter, 1.0 if "norm" in name else 0.0, 0.3)
    return model.requires_grad_(False)


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_the_library(kind: str) -> None:
    model = made(kind)
    with torch.inference_mode():
        expected = model(input_ids=IDS, output_hidden_states=True)
        decoder = Decoder(model)
        reading = decoder.run(IDS.flatten(), torch.arange(7).repeat(2), causal_grid(2, 7), keep=2)
        after = model(input_ids=IDS).logits  # the library reads the rearranged layers
    logits = (reading.last @ model.lm_head.weight.T).view(2, 7, -1)
    torch.testing.assert_close(logits, expected.logits, rtol=1e-4, atol=1e-4)
    assert reading.kept is not None
    kept = reading.kept.view(2, 7, -1)
    torch.testing.assert_close(kept, expected.hidden_states[2], rtol=1e-4, atol=1e-4)
    assert torch.equal(after, expected.logits)


def test_other_architectures_and_sliding_windows_are_refused() -> None:
    windowed: Any = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8))
    with pytest.raises(BaseModelError, match="mistral"):
        Decoder(windowed)
    other = LlamaForCausalLM(LlamaConfig(**{**SIZES, "hidden_act": "gelu"}))
    with pytest.raises(BaseModelError, match="gelu"):
        Decoder(other)
    windowed.config.model_type = "gpt2"
    with pytest.raises(BaseModelError, match="gpt2"):
        Decoder(windowed)


def test_rows_read_in_pieces_and_of_unequal_length_give_the_same_states() -> None:
    """Row 0 is read as 4 + 3 tokens, row 1 as 2 + 5; all at once is the reference."""
    model = made("qwen2")
    decoder = Decoder(model)
    with torch.inference_mode():
        whole = decoder.run(IDS.flatten(), torch.arange(7).repeat(2), causal_grid(2, 7)).last
        cache = KeyValues(3)
        found: list[list[Tensor]] = [[], []]
        for parts in (((0, 0, 4), (1, 0, 2)), ((1, 2, 7), (0, 4, 7))):
            rows = torch.cat([torch.full((b - a,), row) for row, a, b in parts])
            slots = torch.cat([torch.arange(a, b) for _, a, b in parts])
            columns = torch.cat([torch.arange(b - a) for _, a, b in parts])
            mask = torch.zeros(2, int(columns.max()) + 1, int(slots.max()) + 1, dtype=torch.bool)
            for row, column, slot in zip(rows, columns, slots, strict=True):
                mask[row, column, : slot + 1] = True
            ids = torch.cat([IDS[row, a:b] for row, a, b in parts])
            grid = Grid.of(rows, columns, slots, mask, torch.float32)
            states = decoder.run(ids, slots, grid, cache=cache).last
            for row in (0, 1):
                found[row].append(states[rows == row])
    together = torch.cat([torch.cat(part) for part in found])
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=1e-4)


def test_a_cache_grows_and_moves_its_rows() -> None:
    """Rows 0 and 1 hold 3 tokens, 2 and 3 come with 5; row 3 moves to 0, and each gets one more."""
    cache = KeyValues(1)
    none = torch.zeros(0, dtype=torch.long)
    for start, length in ((0.0, 3), (10.0, 5)):
        values = torch.arange(2 * length, dtype=torch.float32).view(-1, 1, 1) + start
        grid = causal_grid(2, length)
        if start:
            nothing = torch.zeros(2, 1, 3, dtype=torch.bool)
            grid = Grid.of(none, none, none, nothing, torch.float32).followed_by(grid)
        keys, _ = cache.add(0, values, values + 0.5, grid)
        assert keys.shape == (4 if start else 2, 1, length, 1)
        assert keys[-2:].flatten().tolist() == values.flatten().tolist()
    cache.move(torch.tensor([3]), torch.tensor([0]), 5)
    new = torch.full((3, 1, 1), -1.0)
    mask = torch.ones(3, 1, 6, dtype=torch.bool)
    rows = torch.arange(3)
    grid = Grid.of(rows, torch.zeros(3, dtype=torch.long), torch.tensor([5, 3, 5]), mask, new.dtype)
    keys, values = cache.add(0, new, new, grid)
    assert keys[:, 0, :, 0].tolist() == [
        [15, 16, 17, 18, 19, -1],
        [3, 4, 5, -1, 0, 0],
        [10, 11, 12, 13, 14, -1],
    ]
    assert values[1, 0, :4, 0].tolist() == [3.5, 4.5, 5.5, -1]


def test_long_rows_in_a_part_of_their_own_give_the_same_states() -> None:
    """Row 0 gets 6 new tokens and eight others get one each, so the six are cut after the first."""
    model = made("qwen2")
    decoder = Decoder(model)
    counts = [6] + [1] * 8
    rows = torch.arange(9).repeat_interleave(torch.tensor(counts))
    columns = torch.cat([torch.arange(count) for count in counts])
    ids = (torch.arange(14) * 5) % 50
    found = []
    with torch.inference_mode():
        for uneven in (False, True):
            cache = KeyValues(3)
            before = torch.arange(9) + 10
            start = Grid.of(*_single(9), torch.ones(9, 1, 1, dtype=torch.bool), torch.float32)
            decoder.run(before, torch.zeros(9, dtype=torch.long), start, cache=cache)
            mask = torch.ones(7, 7, dtype=torch.bool).tril()[1:].expand(9, 6, 7)
            slots = columns + 1
            grid = Grid.of(rows, columns, slots, mask, torch.float32, uneven=uneven)
            assert len(grid.parts) == 1 + uneven
            found.append(decoder.run(ids, slots, grid, cache=cache).last)
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)


def _single(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    nothing = torch.zeros(rows, dtype=torch.long)
    return torch.arange(rows), nothing, nothing


SHAPE = LoraShape(2, 6, ("down_proj", "gate_proj", "k_proj", "q_proj"))


def random_matrices(base: LoadedBase) -> dict[str, Tensor]:
    torch.manual_seed(1)
    sizes = expected_matrices(base.model.config, SHAPE)
    return {name: torch.randn(size) * 0.2 for name, size in sizes.items()}


def test_a_lora_beside_the_weights_equals_one_added_in(tiny_base: Path) -> None:
    base = load_base(tiny_base, str(tiny_base))
    decoder = Decoder(base.model)
    matrices = random_matrices(base)
    beside = block_loras(decoder, SHAPE, matrices, dtype=torch.float32, device=base.device)
    blocks = [merged(block, own) for block, own in zip(decoder.blocks, beside, strict=True)]
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        plain = plain_logits(base, ids)
        first = plain_logits(base, ids, lora=beside)
        second = plain_logits(base, ids, blocks=blocks)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(first, plain, atol=1e-2)
    assert torch.equal(plain, plain_logits(base, ids))  # the base itself did not change


@pytest.mark.parametrize("save_memory", [False, True])
def test_trained_gradients_are_those_of_plain_autograd(tiny_base: Path, save_memory: bool) -> None:
    """The reference adds ``scale * B A`` to each weight and lets torch differentiate."""
    base = load_base(tiny_base, str(tiny_base))
    decoder = Decoder(base.model)
    matrices = random_matrices(base)
    trained = TrainedLora(
        decoder, SHAPE, matrices, share=0.5, dtype=torch.float32, device=base.device
    )
    ids, places = torch.tensor([5, 6, 7, 8, 9]), torch.arange(5)
    grid = causal_grid(1, 5)
    copies = trained.copies()
    reading = decoder.run(ids, places, grid, lora=copies.blocks, save_memory=save_memory)
    torch.autograd.backward(reading.last.square().sum())
    gradient = torch.zeros_like(trained.parameter.detach())
    trained.collect(copies, gradient)
    for name, tensor in matrices.items():
        matrices[name] = tensor.requires_grad_()
    beside = block_loras(decoder, SHAPE, matrices, dtype=torch.float32, device=base.device)
    blocks = []
    for block, own in zip(decoder.blocks, beside, strict=True):
        layers = [_added(group, part) for group, part in zip(block.groups, own, strict=True)]
        blocks.append(replace(block, groups=(layers[0], layers[1], layers[2], layers[3])))
    torch.autograd.backward(decoder.run(ids, places, grid, blocks=blocks).last.square().sum())
    assert trained.first_trained == 1
    trained.parameter.data = gradient
    for name, gradient in trained.tensors().items():
        if ".layers.1." in name:
            expected = matrices[name].grad
            assert expected is not None
            torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4)
        else:
            assert torch.equal(gradient, matrices[name])  # not trained: the matrix itself


def _added(group: Any, lora: GroupLora | None) -> Any:
    if lora is None:
        return group
    rank, rows, place = 2, [], 0
    for size, second in zip(group.sizes, lora.second, strict=True):
        if second is None:
            rows.append(torch.zeros(size, lora.first.shape[1]))
        else:
            rows.append(lora.scale * second @ lora.first[place : place + rank])
            place += rank
    weight = group.weight + torch.cat(rows)
    return type(group)(group.paths, group.sizes, weight, group.bias, group.layers)


def test_operations_have_the_right_gradients() -> None:
    torch.manual_seed(2)
    states = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, dtype=torch.float64)
    # Norms are taken in float32 on purpose, so the comparison is as coarse as that.
    assert torch.autograd.gradcheck(lambda x: rms_norm(x, weight, 1e-5), (states,))
    assert torch.autograd.gradcheck(swiglu, (states,))
    angles = torch.randn(3, 1, 2, dtype=torch.float64)
    turn = [torch.cat([f(angles), f(angles)], dim=-1) for f in (torch.cos, torch.sin)]
    heads = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rotate(x, *turn), (heads,))


def test_a_group_of_layers_adds_each_layers_own_lora() -> None:
    """Two layers of 3 and 2 outputs, rank 1, scale 2; the second has no LoRA.

    y[:, :3] = x W1^T + 2 (x a) b^T and y[:, 3:] = x W2^T.
    """
    torch.manual_seed(2)

    def drawn(*size: int) -> Tensor:
        return torch.randn(size, dtype=torch.float64, requires_grad=True)

    x, a, b = drawn(4, 5), drawn(1, 5), drawn(3, 1)
    weight, bias = drawn(5, 5).detach(), drawn(5).detach()
    lora = GroupLora(a, (b, None), 2.0)
    plain = x @ weight.T + bias
    expected = plain.clone()
    expected[:, :3] += 2 * (x @ a.T) @ b.T
    torch.testing.assert_close(lora_linear(x, weight, bias, lora, (3, 2), 0.0), expected)
    torch.testing.assert_close(add_lora(plain, x, lora, (3, 2), 0.0), expected)

    def through(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return lora_linear(x, weight, bias, GroupLora(a, (b, None), 2.0), (3, 2), 0.0)

    assert torch.autograd.gradcheck(through, (x, a, b))
