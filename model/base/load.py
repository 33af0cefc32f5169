"""A verified base model, loaded from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.base.catalogue import ENTRIES
from model.base.digest import tensors_digest
from model.errors import BaseModelError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from torch import Tensor, nn

RECORD_FILE = "nerloop-base.json"
WEIGHTS_FILE = "model.safetensors"
NEEDED_FILES = (WEIGHTS_FILE, "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class LoadedBase:
    """A causal language model in memory.

    Attributes:
        model: The network, in evaluation mode, with all parameters frozen.
        tokenizer: Its tokenizer.
        digest: Digest of its tensors.
        name: Catalogue name or, for an own folder, the folder's name.
    """

    model: Any
    tokenizer: Tokenizer
    digest: str
    name: str

    @property
    def decoder(self) -> nn.Module:
        """The network without its output layer."""
        decoder: nn.Module = self.model.get_decoder()
        return decoder

    @property
    def output_weight(self) -> Tensor:
        """Weight of the output layer. Shape ``(v, d)``."""
        weight: Tensor = self.model.get_output_embeddings().weight
        return weight

    @property
    def blocks(self) -> int:
        """Number of transformer blocks."""
        return int(self.model.config.num_hidden_layers)

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the frozen weights."""
        return self.output_weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output_weight.device


def base_folder(home: Path, name_or_path: str) -> Path:
    """Where a base model lies: ``<home>/base/<name>`` for catalogue names, else the path itself."""
    return home / "base" / name_or_path if name_or_path in ENTRIES else Path(name_or_path)


def read_record(folder: Path) -> dict[str, Any]:
    """The record ``nerloop-base.json`` of a base model's folder.

    Raises:
        BaseModelError: If the folder is not a complete base model.
    """
    missing = [name for name in (*NEEDED_FILES, RECORD_FILE) if not (folder / name).is_file()]
    if missing:
        raise BaseModelError(
            f"There is no complete base model in {folder}: {', '.join(missing)} missing. "
            "Fetch it with: nerloop base fetch NAME"
        )
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        known = {"name": str(record["name"]), "digest": str(record["digest"])}
        return {**record, **known, "bytes": int(record["bytes"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseModelError(f"{folder / RECORD_FILE} is damaged: {error}") from error


def verify_base(folder: Path) -> str:
    """Hash all tensors of a base model and compare them with the record and the catalogue.

    Returns:
        The digest.

    Raises:
        BaseModelError: If the folder is incomplete or a digest differs.
    """
    record = read_record(folder)
    found = tensors_digest(folder / WEIGHTS_FILE)
    _require(folder, record["digest"], found)
    entry = ENTRIES.get(record["name"])
    if entry is not None and entry.digest is not None:
        _require(folder, entry.digest, found)
    return found


def load_base(
    home: Path, name_or_path: str, *, verify: bool = False, device: str | None = None
) -> LoadedBase:
    """Load a causal base model.

    The recorded digest is compared with the catalogue's and the recorded size with the file's; the
    tensors are hashed only on request.

    Args:
        home: The folder with nerloop's state.
        name_or_path: Catalogue name, or a folder.
        verify: Hash all tensors first.
        device: ``cpu`` or ``cuda``; None takes a GPU where there is one.

    Raises:
        BaseModelError: If the base is missing, damaged or of another digest.
    """
    folder = base_folder(home, name_or_path)
    record = read_record(folder)
    entry = ENTRIES.get(name_or_path)
    if entry is not None and entry.digest is not None:
        _require(folder, entry.digest, record["digest"])
    if (folder / WEIGHTS_FILE).stat().st_size != record["bytes"]:
        raise BaseModelError(f"The weights in {folder} are not those that were fetched. {_FIX}")
    if verify:
        verify_base(folder)
    return LoadedBase(
        _causal_model(folder, device), _tokenizer(folder), record["digest"], record["name"]
    )


_FIX = "Delete the folder and fetch the base model again: nerloop base fetch NAME"


def _require(folder: Path, expected: str, found: str) -> None:
    if expected != found:
        raise BaseModelError(
            f"The base model in {folder} has digest {found}, but {expected} is expected. {_FIX}"
        )


def _causal_model(folder: Path, device: str | None) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    reporting: Any = logging
    reporting.disable_progress_bar()
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype="auto",
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(f"The base model in {folder} cannot be loaded: {error}") from error
    if place == "cpu" and model.dtype == torch.bfloat16 and not _fast_bf16():
        model = model.to(torch.float32)
    model.requires_grad_(requires_grad=False)
    return model.to(place).eval()


def _fast_bf16() -> bool:
    # Without the instructions bf16 products are emulated, several times slower than float32.
    import torch

    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe()) if callable(probe) else False


def _tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises the bare class
        raise BaseModelError(f"The tokenizer in {folder} cannot be read: {error}") from error
