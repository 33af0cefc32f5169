"""Hidden states of type names and gold mentions under the adapters of an arm, kept for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.studies.arms import Arm
from backend.studies.measuring import TRAIN_SEED, open_arm
from backend.studies.remembered import Remembered
from backend.studies.study import Setting, StudyError
from backend.studies.tasks import Task
from model.base.attention import Grid
from model.base.decoder import Decoder
from model.base.load import LoadedBase
from model.cllmfs import lora
from model.cllmfs.config import CllmfsConfig, contrast_block
from model.cllmfs.examples import Losses, TrainingRow, training_rows
from model.cllmfs.lora_blocks import block_loras
from model.cllmfs.packing import collate, tree_mask
from model.cllmfs.prompt import PromptEncoder
from model.method import AdapterFiles
from model.spans import AnnotatedText, LabelSet

Vectors = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class States:
    """States of the block the contrastive term reads, one row per gold mention.

    Attributes:
        anchors: Mean state of the type name. Shape ``(m, d)``.
        mentions: Mean state of the mention. Shape ``(m, d)``.
        neighbours: Mean of the mean states of the neighbouring words. Shape ``(m, d)``.
        sentences: Number of the sentence of each mention. Shape ``(m,)``.
    """

    anchors: Vectors
    mentions: Vectors
    neighbours: Vectors
    sentences: npt.NDArray[np.int64]


def collect_states(setting: Setting, task: Task, arm: Arm) -> None:
    """Write the states of the gold mentions of a task for every support set of an arm.

    Trainings come from the shared folder, or are made.

    Raises:
        StudyError: If the arm is not of CLLMFS.
        NerLoopError: If data, base model or adapter cannot be used, or a training fails.
    """
    if arm.method != "cllmfs":
        raise StudyError("States can be collected for arms of CLLMFS only.")
    opened = setting.opened(task)
    adapters: list[AdapterFiles] = []
    method, start, _ = open_arm(setting, arm)
    if arm.trained:
        remembered = Remembered(method, setting.trainings)
        adapters = [
            remembered.fit(support.items, opened.labels, start=start, seed=TRAIN_SEED).files
            for support in opened.supports
        ]
    else:
        adapters = [start]
    from model.methods import load_base_for

    base = load_base_for("cllmfs", setting.home, setting.base)
    config = CllmfsConfig.from_json({**setting.settings, **arm.settings})
    arrays: dict[str, Any] = {}
    for number, files in enumerate(adapters):
        found = states_of(base, config, files, opened.items, opened.labels)
        arrays[f"anchors_{number}"] = found.anchors.astype(np.float32)
        arrays[f"mentions_{number}"] = found.mentions.astype(np.float32)
        arrays[f"neighbours_{number}"] = found.neighbours.astype(np.float32)
        arrays["sentences"] = found.sentences
    path = setting.states_path(task, arm)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def states_of(
    base: LoadedBase,
    config: CllmfsConfig,
    files: AdapterFiles,
    items: Sequence[AnnotatedText],
    labels: LabelSet,
) -> States:
    """Read sentences with their questions and pool the states of names, mentions and neighbours.

    Args:
        base: The base model.
        config: Gives the block and the row format.
        files: The adapter.
        items: Sentences with gold spans.
        labels: The labels asked.

    Raises:
        StudyError: If no mention has a neighbour to be compared with.
        AdapterError: If the adapter belongs to another base model.
    """
    decoder = Decoder(base.model)
    adapter = lora.from_files(files, base.digest)
    own = block_loras(decoder, adapter.shape, adapter.tensors, dtype=base.dtype, device=base.device)
    encoder = PromptEncoder(base.tokenizer, config.row_format)
    keep = contrast_block(base.blocks, config.depth)
    pooled: list[tuple[Tensor, Tensor, Tensor]] = []
    sentences: list[int] = []
    for number, item in enumerate(items):
        rows = training_rows(
            item,
            labels.labels,
            encoder,
            Losses(),
            window=config.window,
            group=config.group,
            descriptions=config.descriptions,
        )
        for row in (row for row in rows if row.contrasts):
            hidden = _read(base, decoder, own, row, encoder.padding, keep)  # (n, d)
            for sets in row.contrasts:
                words = [hidden[list(tokens)].mean(0) for tokens in sets.negatives]
                anchor, mention = hidden[list(sets.anchor)], hidden[list(sets.positive)]
                pooled.append((anchor.mean(0), mention.mean(0), torch.stack(words).mean(0)))
                sentences.append(number)
    if not pooled:
        raise StudyError("No gold mention of these sentences has a neighbouring word.")
    anchors, mentions, neighbours = (
        torch.stack(part).double().numpy() for part in zip(*pooled, strict=True)
    )
    return States(anchors, mentions, neighbours, np.array(sentences, dtype=np.int64))


def _read(
    base: LoadedBase, decoder: Decoder, own: Any, row: TrainingRow, padding: int, keep: int
) -> Tensor:
    batch = collate([row.pack], padding=padding, device=base.device)
    length = batch.ids.shape[1]
    places = torch.arange(length, device=base.device)
    mask = tree_mask(batch.owners, length).squeeze(1)  # (1, n, n)
    rows = torch.zeros_like(places)
    grid = Grid.of(rows, places, places, mask, base.dtype)
    with torch.inference_mode():
        reading = decoder.run(batch.ids[0], batch.positions[0], grid, lora=own, keep=keep)
    if reading.kept is None:
        raise StudyError("The base model has no such block.")
    return reading.kept.float().cpu()
