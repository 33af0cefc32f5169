from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.base.load import LoadedBase, load_base
from model.cllmfs.packing import (
    IGNORED,
    PADDING,
    PREFIX,
    Branch,
    branch_mask,
    collate,
    pack,
    tree_mask,
)

CPU = torch.device("cpu")
PREFIX_IDS = [10, 11, 12, 13]
BRANCHES = [Branch((20, 21), (22, 23)), Branch((30,), (31, 32, 33)), Branch((40, 41, 42), (43,))]


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> LoadedBase:
    return load_base(tiny_base, str(tiny_base))


def packed_logits(base: LoadedBase, branches: list[Branch]) -> list[torch.Tensor]:
    """Logits over the tokens of each branch, in a packed forward pass."""
    packed = pack(PREFIX_IDS, branches)
    batch = collate([packed], padding=0, device=CPU)
    with torch.inference_mode():
        hidden = base.decoder(
            input_ids=batch.ids,
            attention_mask=tree_mask(batch.owners, batch.ids.shape[1]),
            position_ids=batch.positions,
        ).last_hidden_state
    logits = hidden[0] @ base.output_weight.T
    ends = [*packed.starts[1:], len(packed.ids)]
    return [logits[start:end] for start, end in zip(packed.starts, ends, strict=True)]


def plain_logits(base: LoadedBase, branch: Branch) -> torch.Tensor:
    ids = [*PREFIX_IDS, *branch.question, *branch.answer]
    with torch.inference_mode():
        hidden = base.decoder(input_ids=torch.tensor([ids])).last_hidden_state
    logits: torch.Tensor = hidden[0] @ base.output_weight.T
    return logits[len(PREFIX_IDS) :]


def test_layout() -> None:
    """Prefix of 2, branches of 2 + 2 and 1 + 1 tokens.

    The last token of a branch has no target: what follows in memory is another branch.
    """
    packed = pack([1, 2], [Branch((3, 4), (5, 6), 0.5), Branch((7,), (8,))])
    assert packed.ids == (1, 2, 3, 4, 5, 6, 7, 8)
    assert packed.owners == (PREFIX, PREFIX, 0, 0, 0, 0, 1, 1)
    assert packed.positions == (0, 1, 2, 3, 4, 5, 2, 3)
    assert packed.targets == (IGNORED, IGNORED, IGNORED, 5, 6, IGNORED, 8, IGNORED)
    assert packed.weights == (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0)
    assert packed.starts == (2, 6)


def test_layout_where_the_whole_row_is_learned() -> None:
    """Prefix of 3, branches of 2 + 2 and 1 + 1 tokens with weights 0.5 and 1.

    The prefix weighs 0.5 + 1, as in two rows; its last token has no target, for two questions
    follow it.
    """
    packed = pack([1, 2, 9], [Branch((3, 4), (5, 6), 0.5), Branch((7,), (8,))], whole=True)
    assert packed.targets == (2, 9, IGNORED, 4, 5, 6, IGNORED, 8, IGNORED)
    assert packed.weights == (1.5, 1.5, 0.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0)
    assert pack([1], [Branch((3, 4))], whole=True).targets == (IGNORED, 4, IGNORED)


def test_mask() -> None:
    """Prefix p, branches a a b, one padding token: rows are queries, columns keys.

    The padding sees itself alone, b sees the prefix and itself but no a.
    """
    owners = torch.tensor([[PREFIX, 0, 0, 1, PADDING]])
    expected = torch.tensor(
        [
            [1, 0, 0, 0, 0],
            [1, 1, 0, 0, 0],
            [1, 1, 1, 0, 0],
            [1, 0, 0, 1, 0],
            [0, 0, 0, 0, 1],
        ],
        dtype=torch.bool,
    )
    assert torch.equal(tree_mask(owners, 5)[0, 0], expected)
    assert torch.equal(tree_mask(owners, 2)[0, 0], expected[3:])


def test_packed_and_unpacked_logits_agree(base: LoadedBase) -> None:
    for branch, found in zip(BRANCHES, packed_logits(base, BRANCHES), strict=True):
        torch.testing.assert_close(found, plain_logits(base, branch), rtol=1e-4, atol=1e-4)


TOKENS = st.integers(0, 200)
ANY_BRANCH = st.builds(
    Branch,
    st.lists(TOKENS, min_size=1, max_size=4).map(tuple),
    st.lists(TOKENS, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data(), branches=st.lists(ANY_BRANCH, min_size=1, max_size=5), added=ANY_BRANCH)
def test_permuting_or_adding_branches_changes_no_other(
    base: LoadedBase, data: st.DataObject, branches: list[Branch], added: Branch
) -> None:
    before = packed_logits(base, branches)
    order = data.draw(st.permutations(range(len(branches))))
    place = data.draw(st.integers(0, len(branches)))
    others = [branches[number] for number in order]
    after = packed_logits(base, [*others[:place], added, *others[place:]])
    del after[place]
    for number, found in zip(order, after, strict=True):
        torch.testing.assert_close(found, before[number], rtol=1e-4, atol=1e-4)
    for branch, found in zip(branches, before, strict=True):
        torch.testing.assert_close(found, plain_logits(base, branch), rtol=1e-4, atol=1e-4)


def test_a_branch_does_depend_on_its_own_question(base: LoadedBase) -> None:
    other = [Branch((25, 21), (22, 23)), *BRANCHES[1:]]
    first, second, _ = packed_logits(base, BRANCHES)
    changed, same, _ = packed_logits(base, other)
    assert not torch.allclose(first[-1], changed[-1], atol=1e-3)
    torch.testing.assert_close(second, same, rtol=1e-4, atol=1e-4)


def test_collating_pads_with_tokens_nobody_sees() -> None:
    packs = [pack([1], [Branch((2,))]), pack([1, 2, 3], [Branch((4,), (5,))])]
    batch = collate(packs, padding=9, device=CPU)
    assert batch.ids.tolist() == [[1, 2, 9, 9, 9], [1, 2, 3, 4, 5]]
    assert batch.owners[0].tolist() == [PREFIX, 0, *[PADDING] * 3]
    assert batch.targets[1].tolist() == [*[IGNORED] * 3, 5, IGNORED]
    mask = tree_mask(batch.owners, 5)
    assert mask.any(dim=-1).all()
    assert not mask[0, 0, :2, 2:].any()


def test_the_mask_of_new_tokens_follows_the_rule_of_whole_rows() -> None:
    """Row 0: prefix of 2, branches of 2 and 1 tokens; row 1: prefix of 1, a branch of 2.

    All tokens are new, so the mask is the tree mask where a row has a token, and nothing elsewhere.
    """
    owners = [[PREFIX, PREFIX, 0, 0, 1], [PREFIX, 0, 0]]
    rows = torch.tensor([0] * 5 + [1] * 3)
    columns = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    mask = branch_mask(owners, rows, columns, columns, 5)
    padded = torch.tensor([owners[0], [*owners[1], PADDING, PADDING]])
    expected = tree_mask(padded, 5).squeeze(1)
    assert torch.equal(mask[0], expected[0])
    assert torch.equal(mask[1, :3], expected[1, :3])
    assert not mask[1, 3:].any()
    # the last token of row 0 again, as the only new one: it sees the prefix and itself
    last = branch_mask(owners, torch.tensor([0]), torch.tensor([0]), torch.tensor([4]), 1)
    assert last[0, 0].tolist() == [True, True, False, False, True]
