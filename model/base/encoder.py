"""A bidirectional encoder of the catalogue, loaded from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model.base.catalogue import ENTRIES
from model.base.digest import weight_files
from model.base.load import LoadedBase, base_folder, read_record
from model.errors import BaseModelError

SUPPORTED = ("bert", "deberta-v2", "roberta", "xlm-roberta")
"""The architectures that may be used, by the ``model_type`` of their configuration.

DeBERTa-v3 calls itself ``deberta-v2``.
"""


def load_encoder(home: Path, name_or_path: str) -> LoadedBase:
    """Load an encoder in float32 on the CPU, its parameters trainable.

    Only ``model``, ``tokenizer``, ``digest`` and ``name`` of the value have a meaning: an encoder
    has no decoder and no output layer. The tokenizer neither truncates nor pads.

    Args:
        home: The folder with nerloop's state.
        name_or_path: Catalogue name, or a folder.

    Raises:
        BaseModelError: If it is missing, damaged, of another digest or of an unknown architecture.
    """
    folder = base_folder(home, name_or_path)
    record = read_record(folder)
    _require_encoder(folder)
    entry = ENTRIES.get(name_or_path)
    if entry is not None and entry.digest not in (None, record["digest"]):
        raise BaseModelError(
            f"The encoder in {folder} has digest {record['digest']}, but {entry.digest} is "
            "expected. Delete the folder and fetch it again."
        )
    if sum(path.stat().st_size for path in weight_files(folder)) != record["bytes"]:
        raise BaseModelError(f"The weights in {folder} are not those that were fetched.")
    return LoadedBase(_network(folder), _tokenizer(folder), record["digest"], record["name"])


def _require_encoder(folder: Path) -> None:
    path = folder / "config.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseModelError(f"{path} is damaged or names no model_type: {error}") from error
    if kind not in SUPPORTED:
        raise BaseModelError(
            f"The base model in {folder} is of the architecture {kind}, which is no encoder that "
            f"nerloop knows. These work: {', '.join(SUPPORTED)}."
        )


def _network(folder: Path) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging

    reporting: Any = logging
    reporting.disable_progress_bar()
    reader: Any = AutoModel
    try:
        network, report = reader.from_pretrained(
            folder,
            output_loading_info=True,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(f"The encoder in {folder} cannot be loaded: {error}") from error
    # the pooling layer is not used, and many encoders are published without one
    missing = [key for key in report["missing_keys"] if not key.startswith("pooler.")]
    if missing:
        raise BaseModelError(f"The weights in {folder} are not whole: {missing[:5]} missing.")
    if getattr(network, "pooler", None) is not None:
        # where the file has none it is drawn at random, and copies of the network would differ
        network.pooler = None
    return network.eval()


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises the bare class
        raise BaseModelError(f"The tokenizer in {folder} cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
