"""The matrices of an adapter laid out for the decoder: to read with, or to train."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.base.decoder import BlockLora, Decoder, Group, GroupLora
from model.cllmfs.lora import LoraShape

_Make = Callable[[Group], GroupLora | None]


def block_loras(
    decoder: Decoder,
    shape: LoraShape,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> list[BlockLora]:
    """The LoRA of every block, fixed.

    Args:
        decoder: The base model's blocks.
        shape: Rank and scale.
        tensors: A and B matrices under peft's names, all that belong to the base model.
        dtype: Number type wanted.
        device: Where they go.
    """

    def group_lora(group: Group) -> GroupLora | None:
        names = [name for name in map(_names, group.paths) if name[0] in tensors]
        if not names:
            return None
        first = torch.cat([tensors[a] for a, _ in names]).to(device, dtype)
        second = tuple(
            tensors[b].to(device, dtype) if b in tensors else None
            for _, b in map(_names, group.paths)
        )
        return GroupLora(first, second, shape.alpha / shape.rank)

    return [_for_groups(block.groups, group_lora) for block in decoder.blocks]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a matrix lies in the flat parameter."""

    name: str
    start: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoraCopies:
    """The matrices of a LoRA in the number type of a pass, which leaves its gradients there.

    Attributes:
        blocks: The LoRA of every block.
        leaves: The matrices that get gradients, with their places in the flat parameter.
    """

    blocks: list[BlockLora]
    leaves: list[tuple[int, Tensor]]


class TrainedLora:
    """The matrices of one LoRA as a single float32 parameter, in the order the decoder reads them.

    One parameter keeps the optimiser's and the clipping's overhead off the hundreds of small
    matrices. Passes read copies in the base model's number type and leave their gradients there;
    :meth:`collect` adds these up in the order of the parameter.

    Args:
        decoder: The base model's blocks.
        shape: Rank and scale.
        tensors: A and B matrices under peft's names.
        share: Share of the blocks, from the top, that is trained; the others stay as they are.
        dtype: Number type of the passes.
        device: Where the blocks are.
    """

    def __init__(
        self,
        decoder: Decoder,
        shape: LoraShape,
        tensors: Mapping[str, Tensor],
        *,
        share: float,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._decoder, self._shape, self._dtype = decoder, shape, dtype
        self._tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        self._fixed = block_loras(decoder, shape, tensors, dtype=dtype, device=device)
        count = len(decoder.blocks)
        self.first_trained = min(count - 1, count - math.ceil(count * share))
        self._places: list[_Place] = []
        parts: list[Tensor] = []
        start = 0
        for block in decoder.blocks[self.first_trained :]:
            for group in block.groups:
                pairs = [pair for pair in map(_names, group.paths) if pair[0] in tensors]
                for name in [a for a, _ in pairs] + [b for _, b in pairs]:
                    tensor = tensors[name].float()
                    self._places.append(_Place(name, start, tuple(tensor.shape)))
                    parts.append(tensor.flatten())
                    start += tensor.numel()
        self.parameter = nn.Parameter(torch.cat(parts).to(device))

    def copies(self) -> LoraCopies:
        """The LoRA of every block as it is now, for one pass."""
        flat = self.parameter.detach().to(self._dtype)
        places = {place.name: place for place in self._places}
        leaves: list[tuple[int, Tensor]] = []

        def leaf(first: _Place, rows: int, columns: int) -> Tensor:
            end = first.start + rows * columns
            copy = flat[first.start : end].view(rows, columns).requires_grad_()
            leaves.append((first.start, copy))
            return copy

        def group_lora(group: Group) -> GroupLora | None:
            own = [a for a, _ in map(_names, group.paths) if a in places]
            if not own:
                return None
            rank, width = places[own[0]].shape
            first = leaf(places[own[0]], rank * len(own), width)
            second = tuple(
                leaf(places[b], *places[b].shape) if b in places else None
                for _, b in map(_names, group.paths)
            )
            return GroupLora(first, second, self._shape.alpha / self._shape.rank)

        trained = self._decoder.blocks[self.first_trained :]
        blocks = [
            *self._fixed[: self.first_trained],
            *(_for_groups(block.groups, group_lora) for block in trained),
        ]
        return LoraCopies(blocks, leaves)

    def collect(self, copies: LoraCopies, gradient: Tensor) -> None:
        """Add the gradients of copies to one in the order of the parameter.

        Args:
            copies: Behind their backward pass.
            gradient: Added to. Shape of :attr:`parameter`, float32.
        """
        for start, leaf in copies.leaves:
            if leaf.grad is not None:
                gradient[start : start + leaf.numel()] += leaf.grad.flatten()

    def tensors(self) -> dict[str, Tensor]:
        """All matrices under peft's names, float32, on the CPU."""
        flat = self.parameter.detach().cpu()
        trained = {
            place.name: flat[place.start : place.start + math.prod(place.shape)]
            .view(place.shape)
            .clone()
            for place in self._places
        }
        return {name: trained.get(name, tensor) for name, tensor in self._tensors.items()}


def _for_groups(groups: tuple[Group, ...], make: _Make) -> BlockLora:
    first, second, third, fourth = (make(group) for group in groups)
    return first, second, third, fourth


def _names(path: str) -> tuple[str, str]:
    start = f"base_model.model.{path}"
    return f"{start}.lora_A.weight", f"{start}.lora_B.weight"
