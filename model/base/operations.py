"""The operations between the products of a transformer block, with backward passes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import Function

if TYPE_CHECKING:
    from model.base.decoder import GroupLora


def _applied(function: Any, *arguments: Any) -> Tensor:
    # torch's types do not know what a Function of one's own gives back.
    outputs: Tensor = function.apply(*arguments)
    return outputs


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        inverse = _inverse_norm(states, epsilon)  # (..., 1)
        ctx.save_for_backward(states, weight, inverse)
        return _scaled(states, weight, inverse)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        states, weight, inverse = ctx.saved_tensors
        scaled = gradients[0] * weight
        along = (scaled * states).sum(-1, keepdim=True, dtype=_wide(states))  # (..., 1)
        share = along * inverse.to(along.dtype).pow(3) / states.shape[-1]
        return scaled * inverse - states * share.to(states.dtype), None, None


def rms_norm(states: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """``x / sqrt(mean(x^2) + epsilon) * w`` over the last dimension; ``w`` gets no gradient.

    Args:
        states: Shape ``(..., d)``.
        weight: Shape ``(d,)``.
        epsilon: Above zero.
    """
    if torch.is_grad_enabled() and states.requires_grad:
        return _applied(_RmsNorm, states, weight, epsilon)
    return _scaled(states, weight, _inverse_norm(states, epsilon))


def _inverse_norm(states: Tensor, epsilon: float) -> Tensor:
    norms = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=_wide(states))
    inverse: Tensor = norms.square_().div_(states.shape[-1]).add_(epsilon).rsqrt_()
    return inverse.to(states.dtype)


def _wide(states: Tensor) -> torch.dtype:
    return torch.float64 if states.dtype == torch.float64 else torch.float32


def _scaled(states: Tensor, weight: Tensor, inverse: Tensor) -> Tensor:
    return (states * inverse).mul_(weight)


class _SwiGlu(Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        ctx.save_for_backward(both)
        gate, up = both.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (both,) = ctx.saved_tensors
        gate, up = both.chunk(2, dim=-1)
        gradient = gradients[0]
        found = torch.empty_like(both)
        to_gate, to_up = found.chunk(2, dim=-1)
        to_up.copy_(torch.nn.functional.silu(gate).mul_(gradient))
        to_gate.copy_(torch.ops.aten.silu_backward(gradient * up, gate))
        return found


def swiglu(both: Tensor) -> Tensor:
    """``silu(gate) * up`` of gate and up side by side: ``(n, 2 f)`` gives ``(n, f)``."""
    if torch.is_grad_enabled() and both.requires_grad:
        return _applied(_SwiGlu, both)
    gate, up = both.chunk(2, dim=-1)
    return torch.nn.functional.silu(gate).mul_(up)


class _Rotate(Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        return _turned(states, cosine, sine)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        cosine, sine = ctx.saved_tensors
        return _turned(gradients[0], cosine, -sine), None, None


def rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding (Su et al., arXiv:2104.09864) in the half-split layout.

    Args:
        states: Shape ``(n, heads, h)``.
        cosine: Shape ``(n, 1, h)``; the two halves of ``h`` are alike.
        sine: The shape of ``cosine``.
    """
    if torch.is_grad_enabled() and states.requires_grad:
        return _applied(_Rotate, states, cosine, sine)
    return _turned(states, cosine, sine)


def _turned(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    half = states.shape[-1] // 2
    # (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin)
    signed = torch.cat([-sine[..., :half], sine[..., half:]], dim=-1)
    return torch.addcmul(states * cosine, torch.roll(states, half, dims=-1), signed)


class _LoraLinear(Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        read: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        first: Tensor,
        scale: float,
        sizes: Sequence[int],
        *second: Tensor | None,
    ) -> Tensor:
        spread = _block_diagonal(second, sizes, scale)  # (out, k * r)
        low = read @ first.t()  # (n, k * r)
        outputs = torch.nn.functional.linear(states, weight, bias)
        ctx.save_for_backward(read, weight, first, spread, low)
        ctx.scale, ctx.sizes = scale, sizes
        ctx.present = [matrix is not None for matrix in second]
        return outputs.addmm_(low, spread.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        read, weight, first, spread, low = ctx.saved_tensors
        gradient = gradients[0]
        to_low = gradient @ spread  # (n, k * r)
        to_states = gradient @ weight if ctx.needs_input_grad[0] else None
        to_read = to_low @ first if ctx.needs_input_grad[1] else None
        to_first = to_low.t() @ read  # (k * r, in)
        to_spread = gradient.t() @ low  # (out, k * r)
        rank = first.shape[0] // max(1, sum(ctx.present))
        to_second: list[Tensor | None] = []
        row = column = 0
        for size, present in zip(ctx.sizes, ctx.present, strict=True):
            if present:
                part = to_spread[row : row + size, column : column + rank]
                to_second.append(part * ctx.scale)
                column += rank
            else:
                to_second.append(None)
            row += size
        return to_states, to_read, None, None, to_first, None, None, *to_second


def _block_diagonal(second: Sequence[Tensor | None], sizes: Sequence[int], scale: float) -> Tensor:
    present = [matrix for matrix in second if matrix is not None]
    rank = present[0].shape[1]
    spread = present[0].new_zeros(sum(sizes), rank * len(present))
    row = column = 0
    for size, matrix in zip(sizes, second, strict=True):
        if matrix is not None:
            spread[row : row + size, column : column + rank] = matrix * scale
            column += rank
        row += size
    return spread


def lora_linear(
    states: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    lora: GroupLora,
    sizes: Sequence[int],
    dropout: float,
) -> Tensor:
    """``x W^T + b + scale (drop(x) A^T) B^T`` for layers that share their input.

    The weight gets no gradient.

    Args:
        states: Shape ``(n, in)``.
        weight: Shape ``(out, in)``.
        bias: Shape ``(out,)``, or None.
        lora: A and B matrices, in the number type of ``states``.
        sizes: Outputs of each layer; they add up to ``out``.
        dropout: Share of the inputs of the LoRA that are dropped, in [0, 1).
    """
    read = torch.nn.functional.dropout(states, dropout) if dropout else states
    return _applied(
        _LoraLinear, states, read, weight, bias, lora.first, lora.scale, sizes, *lora.second
    )


def add_lora(
    outputs: Tensor, states: Tensor, lora: GroupLora, sizes: Sequence[int], dropout: float
) -> Tensor:
    """``outputs + scale (drop(x) A^T) B^T``: for layers that compute their outputs themselves."""
    read = torch.nn.functional.dropout(states, dropout) if dropout else states
    low = read @ lora.first.t()  # (n, k * r)
    rank = lora.first.shape[0] // sum(matrix is not None for matrix in lora.second)
    parts = []
    column = 0
    for size, matrix in zip(sizes, lora.second, strict=True):
        if matrix is None:
            parts.append(outputs.new_zeros(outputs.shape[0], size))
        else:
            parts.append(low[:, column : column + rank] @ matrix.t())
            column += rank
    return outputs + lora.scale * torch.cat(parts, dim=1)
