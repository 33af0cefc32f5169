from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

from model.base.attention import Grid
from model.base.decoder import Decoder
from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.lora import from_files
from model.cllmfs.lora_blocks import block_loras
from model.cllmfs.method import Cllmfs
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet, Span

# peft reads an attribute that transformers is about to rename
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
TEXTS = [
    AnnotatedText("Anna met Ben in Paris.", (Span(0, 4, "PER"), Span(16, 21, "LOC"))),
    AnnotatedText("There is nobody here.", ()),
    AnnotatedText("The old bridge in Oslo was closed.", (Span(18, 22, "LOC"),)),
]


@pytest.fixture(scope="module", params=[("q_proj", "v_proj"), None], ids=["two", "all"])
def trained(request: pytest.FixtureRequest, tiny_base: Path) -> AdapterFiles:
    """An adapter far enough from its neutral start to change the logits visibly."""
    config = replace(
        CllmfsConfig(), rank=4, alpha=8, rate=2e-2, max_steps=12, min_steps=12, pull=0.0
    )
    if request.param is not None:
        config = replace(config, modules=request.param)
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    return method.fit(TEXTS, LABELS, start=method.fresh_adapter(seed=0).files, seed=1).files


@pytest.fixture
def folder(trained: AdapterFiles, tmp_path: Path) -> Path:
    for name, content in trained.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def ids() -> Tensor:
    return torch.randint(0, 300, (2, 24), generator=torch.Generator().manual_seed(5))


def ours(tiny_base: Path, files: AdapterFiles | None) -> Tensor:
    """Logits of the decoder that serves and trains, with the adapter beside the weights."""
    base = load_base(tiny_base, str(tiny_base))
    decoder = Decoder(base.model)
    lora = None
    if files is not None:
        adapter = from_files(files, base.digest)
        lora = block_loras(
            decoder, adapter.shape, adapter.tensors, dtype=base.dtype, device=base.device
        )
    read = ids()
    rows, length = read.shape
    row = torch.arange(rows).repeat_interleave(length)
    column = torch.arange(length).repeat(rows)
    mask = torch.ones(length, length, dtype=torch.bool).tril().expand(rows, length, length)
    grid = Grid.of(row, column, column, mask, base.dtype)
    with torch.inference_mode():
        reading = decoder.run(read.flatten(), column, grid, lora=lora)
        logits: Tensor = reading.last @ base.output_weight.T  # (b * n, v)
    return logits.view(rows, length, -1)


def theirs(tiny_base: Path, folder: Path | None) -> Tensor:
    """Logits of transformers on a clean base, with the adapter loaded by plain peft."""
    network: Any = AutoModelForCausalLM.from_pretrained(tiny_base, dtype="auto")
    if folder is not None:
        network = PeftModel.from_pretrained(network, str(folder))
    with torch.inference_mode():
        logits: Tensor = network.eval()(ids()).logits
    return logits


def test_a_saved_adapter_in_a_clean_base_gives_the_logits_of_the_training_process(
    tiny_base: Path, trained: AdapterFiles, folder: Path
) -> None:
    plain = theirs(tiny_base, None)
    adapted = theirs(tiny_base, folder)
    assert (adapted - plain).abs().max() > 0.1
    torch.testing.assert_close(ours(tiny_base, None), plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours(tiny_base, trained), adapted, rtol=1e-4, atol=1e-4)


def test_peft_merges_the_saved_adapter_into_the_base(tiny_base: Path, folder: Path) -> None:
    network: Any = AutoModelForCausalLM.from_pretrained(tiny_base, dtype="auto")
    merged = PeftModel.from_pretrained(network, str(folder)).merge_and_unload().eval()
    with torch.inference_mode():
        logits = merged(ids()).logits
    torch.testing.assert_close(logits, theirs(tiny_base, folder), rtol=1e-4, atol=1e-4)


def test_the_exported_folder_is_three_plain_files(folder: Path, tiny_base: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "nerloop.json"]
    without_ours = Path(shutil.copytree(folder, folder.parent / f"{folder.name}-copy"))
    (without_ours / "nerloop.json").unlink()
    assert torch.equal(theirs(tiny_base, without_ours), theirs(tiny_base, folder))
