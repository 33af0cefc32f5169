"""A LoRA added into the weights of a block."""

from __future__ import annotations

from model.base.decoder import Block, BlockLora, Group


def merged(block: Block, lora: BlockLora) -> Block:
    """The block with its LoRA added into new weights; layers that stay the same are shared.

    Raises:
        ValueError: If the block holds quantised weights, which cannot be added to.
    """
    groups = []
    for group, own in zip(block.groups, lora, strict=True):
        if own is None:
            groups.append(group)
            continue
        if group.weight is None:
            raise ValueError("quantised weights cannot be added to")
        weight = group.weight.detach().clone()
        row = place = 0
        rank = own.first.shape[0] // sum(b is not None for b in own.second)
        for size, second in zip(group.sizes, own.second, strict=True):
            if second is not None:
                update = second.float() @ own.first[place : place + rank].float()
                weight[row : row + size] += (own.scale * update).to(weight.dtype)
                place += rank
            row += size
        groups.append(Group(group.paths, group.sizes, weight, group.bias, group.layers))
    first, second_, third, fourth = groups
    return Block(
        block.attention_norm,
        block.mlp_norm,
        block.query_norm,
        block.key_norm,
        (first, second_, third, fourth),
    )
