"""The blocks of a LLaMA-shaped language model, run over trees of tokens with LoRA beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.base.attention import Grid, KeyValues, attend
from model.base.operations import add_lora, lora_linear, rms_norm, rotate, swiglu
from model.errors import BaseModelError

SUPPORTED = ("llama", "qwen2", "qwen3", "mistral")
"""The architectures whose blocks are known, by the ``model_type`` of their configuration."""

_QKV, _OUT = ("q_proj", "k_proj", "v_proj"), ("o_proj",)
_GATE_UP, _DOWN = ("gate_proj", "up_proj"), ("down_proj",)


@dataclass(frozen=True, slots=True)
class GroupLora:
    """The LoRA matrices of linear layers that read the same input; ``r`` is the rank.

    Attributes:
        first: The A matrices of the layers, one below the other. Shape ``(k * r, in)``.
        second: For every layer of the group its B matrix ``(out, r)``, or None where it has none.
        scale: alpha / r.
    """

    first: Tensor
    second: tuple[Tensor | None, ...]
    scale: float


BlockLora = tuple[GroupLora | None, GroupLora | None, GroupLora | None, GroupLora | None]
"""LoRA of one block: of query, key and value; of the output; of gate and up; of down."""


@dataclass(frozen=True, slots=True)
class Group:
    """Linear layers that read the same input, as one product.

    Attributes:
        paths: Names of the layers inside the model.
        sizes: Their numbers of outputs.
        weight: Their weights, one below the other, ``(out, in)``; None where the layers hold
            quantised weights and must be called one by one.
        bias: Shape ``(out,)``, or None.
        layers: The layers themselves.
    """

    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    weight: Tensor | None
    bias: Tensor | None
    layers: tuple[nn.Module, ...]

    def __call__(self, states: Tensor, lora: GroupLora | None, dropout: float = 0.0) -> Tensor:
        """``(n, in)`` to ``(n, out)``."""
        if self.weight is None:
            outputs = torch.cat([layer(states) for layer in self.layers], dim=-1)
            return outputs if lora is None else add_lora(outputs, states, lora, self.sizes, dropout)
        if lora is None:
            return nn.functional.linear(states, self.weight, self.bias)
        return lora_linear(states, self.weight, self.bias, lora, self.sizes, dropout)


@dataclass(frozen=True, slots=True)
class Block:
    """The weights of one transformer block."""

    attention_norm: Tensor
    mlp_norm: Tensor
    query_norm: Tensor | None
    key_norm: Tensor | None
    groups: tuple[Group, Group, Group, Group]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pass through the blocks gives.

    Attributes:
        last: States behind the final norm. Shape ``(n, d)``.
        kept: Output of the block asked for, before the norm, same shape; None if none was.
    """

    last: Tensor
    kept: Tensor | None


@dataclass(frozen=True, slots=True)
class Below:
    """States behind the first blocks, computed before.

    Attributes:
        blocks: How many blocks they are behind.
        states: Shape ``(n, d)``.
    """

    blocks: int
    states: Tensor


class Decoder:
    """Runs the blocks of a causal language model; the output layer is the caller's business.

    transformers reads configuration and weights and is the reference in the tests. The pass itself
    is written out here because a few-shot model spends its time on many short texts, where the
    library's general code costs several times the arithmetic. Layers that read the same input are
    laid into one matrix; the library's layers become views of it, so memory stays the same.

    Args:
        model: A causal model of :data:`SUPPORTED`.

    Raises:
        BaseModelError: If the architecture is another one.
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        kind = str(config.model_type)
        windowed = getattr(config, "use_sliding_window", kind == "mistral")
        if kind not in SUPPORTED or (windowed and getattr(config, "sliding_window", None)):
            raise BaseModelError(
                f"Base models of the architecture {kind} cannot be used; these can: "
                f"{', '.join(SUPPORTED)}, without a sliding window."
            )
        activation = getattr(config, "hidden_act", "silu")
        if activation != "silu":
            raise BaseModelError(
                f"This base model uses the activation {activation}; only silu can be used."
            )
        inner = model.get_decoder()
        self._embed: nn.Module = inner.embed_tokens
        self._rotary: nn.Module = inner.rotary_emb
        self._norm: Tensor = inner.norm.weight
        self._epsilon = float(config.rms_norm_eps)
        self.heads = int(config.num_attention_heads)
        self.key_heads = int(config.num_key_value_heads)
        self.head_width = int(getattr(config, "head_dim", 0) or config.hidden_size // self.heads)
        names = {id(module): name for name, module in model.named_modules()}
        self.blocks: tuple[Block, ...] = tuple(_block(layer, names) for layer in inner.layers)

    def run(
        self,
        ids: Tensor,
        positions: Tensor,
        grid: Grid,
        *,
        blocks: Sequence[Block] | None = None,
        lora: Sequence[BlockLora] | None = None,
        dropout: float = 0.0,
        cache: KeyValues | None = None,
        keep: int | None = None,
        save_memory: bool = False,
        below: Below | None = None,
    ) -> Reading:
        """Read tokens.

        Args:
            ids: Token ids. Shape ``(n,)``.
            positions: Position of each token. Shape ``(n,)``.
            grid: The row each token belongs to, and what it may see.
            blocks: Other weights for the blocks, for example with a LoRA added in.
            lora: LoRA of every block, kept beside the weights.
            dropout: Share of the inputs of the LoRA that are dropped.
            cache: Keys and values of earlier tokens; the new ones are added to it.
            keep: Number of the block, from 1, whose output is wanted too.
            save_memory: Whether to keep only the block borders for the backward pass.
            below: States of the same tokens behind the first blocks, which are then not run; only
                for passes without a cache. ``keep`` must lie above them.
        """
        states: Tensor = self._embed(ids) if below is None else below.states  # (n, d)
        turn = self._turn(states, positions)
        kept: Tensor | None = None
        used = blocks if blocks is not None else self.blocks
        for number in range(0 if below is None else below.blocks, len(used)):
            block = used[number]
            own = lora[number] if lora is not None else (None,) * 4
            past = None if cache is None else (cache, number)
            if save_memory and torch.is_grad_enabled():
                states = checkpoint(
                    self._through,
                    block,
                    own,
                    states,
                    turn,
                    grid,
                    dropout,
                    past,
                    use_reentrant=False,
                )
            else:
                states = self._through(block, own, states, turn, grid, dropout, past)
            if number + 1 == keep:
                kept = states
        return Reading(rms_norm(states, self._norm, self._epsilon), kept)

    def states_below(
        self,
        blocks: int,
        ids: Tensor,
        positions: Tensor,
        grid: Grid,
        *,
        lora: Sequence[BlockLora] | None = None,
    ) -> Below:
        """Read tokens with the first blocks only; the arguments are those of :meth:`run`."""
        states: Tensor = self._embed(ids)  # (n, d)
        turn = self._turn(states, positions)
        for number in range(blocks):
            own = lora[number] if lora is not None else (None,) * 4
            states = self._through(self.blocks[number], own, states, turn, grid, 0.0, None)
        return Below(blocks, states)

    def _turn(self, states: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        cosine, sine = self._rotary(states, positions.unsqueeze(0))  # (1, n, h)
        return cosine.transpose(0, 1), sine.transpose(0, 1)  # (n, 1, h)

    def _through(
        self,
        block: Block,
        lora: Any,
        states: Tensor,
        turn: tuple[Tensor, Tensor],
        grid: Grid,
        dropout: float,
        past: tuple[KeyValues, int] | None,
    ) -> Tensor:
        qkv, out, gate_up, down = block.groups
        normed = rms_norm(states, block.attention_norm, self._epsilon)  # (n, d)
        heads, key_heads = self.heads, self.key_heads
        mixed = qkv(normed, lora[0], dropout).view(len(states), -1, self.head_width)
        turned, value = mixed[:, : heads + key_heads], mixed[:, heads + key_heads :]
        if block.query_norm is not None and block.key_norm is not None:
            query, key = turned[:, :heads], turned[:, heads:]
            query = rms_norm(query, block.query_norm, self._epsilon)
            key = rms_norm(key, block.key_norm, self._epsilon)
            turned = torch.cat([query, key], dim=1)
        turned = rotate(turned, *turn)  # (n, heads + key heads, h)
        seen = attend(turned[:, :heads], turned[:, heads:], value, grid, past)  # (n, heads * h)
        states = states + out(seen, lora[1], dropout)
        normed = rms_norm(states, block.mlp_norm, self._epsilon)
        return states + down(swiglu(gate_up(normed, lora[2], dropout)), lora[3], dropout)


def _block(layer: Any, names: dict[int, str]) -> Block:
    attention, mlp = layer.self_attn, layer.mlp
    query_norm = getattr(attention, "q_norm", None)
    key_norm = getattr(attention, "k_norm", None)
    return Block(
        layer.input_layernorm.weight,
        layer.post_attention_layernorm.weight,
        None if query_norm is None else query_norm.weight,
        None if key_norm is None else key_norm.weight,
        (
            _group([getattr(attention, name) for name in _QKV], names),
            _group([getattr(attention, name) for name in _OUT], names),
            _group([getattr(mlp, name) for name in _GATE_UP], names),
            _group([getattr(mlp, name) for name in _DOWN], names),
        ),
    )


def _group(layers: Sequence[Any], names: dict[int, str]) -> Group:
    sizes = tuple(int(layer.out_features) for layer in layers)
    paths = tuple(names[id(layer)] for layer in layers)
    if not all(type(layer) is nn.Linear for layer in layers):
        return Group(paths, sizes, None, None, tuple(layers))
    weight = layers[0].weight.data
    if len(layers) > 1:
        weight = torch.cat([layer.weight.data for layer in layers])
        for layer, part in zip(layers, torch.split(weight, list(sizes)), strict=True):
            layer.weight.data = part
    bias = None
    if any(layer.bias is not None for layer in layers):
        empty = [torch.zeros(size, dtype=weight.dtype, device=weight.device) for size in sizes]
        pairs = zip(layers, empty, strict=True)
        bias = torch.cat([none if layer.bias is None else layer.bias.data for layer, none in pairs])
    return Group(paths, sizes, weight, bias, tuple(layers))
