"""A verified base model, loaded from its folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from model.base.catalogue import ENTRIES
from model.base.digest import folder_digest, weight_files
from model.errors import BaseModelError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from torch import Tensor, nn

RECORD_FILE = "nerloop-base.json"
COMPANION_FILES = ("config.json", "tokenizer.json")

Quantisation = Literal["4bit"]
"""How the frozen weights may be made smaller while loading: 4-bit NormalFloat on a GPU."""

_SUFFIX = "+4bit"


@dataclass(frozen=True, slots=True)
class LoadedBase:
    """A causal language model in memory.

    Attributes:
        model: The network, in evaluation mode, with all parameters frozen.
        tokenizer: Its tokenizer.
        digest: Digest of its tensors; of a quantised one, of that digest and the quantisation.
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


def without_quantisation(name_or_path: str) -> tuple[str, Quantisation | None]:
    """Split what users name, ``NAME`` or ``NAME+4bit``, into the name and the quantisation."""
    name = name_or_path.removesuffix(_SUFFIX)
    return name, None if name == name_or_path else "4bit"


def base_folder(home: Path, name_or_path: str) -> Path:
    """Where a base model lies: ``<home>/base/<name>`` for catalogue names, else the path itself.

    With or without ``+4bit`` it is the same folder.
    """
    name, _ = without_quantisation(name_or_path)
    return home / "base" / name if name in ENTRIES else Path(name)


def base_identity(home: Path, name_or_path: str) -> tuple[str, str]:
    """Name and digest that a base model will have when it is loaded, read from its record.

    Raises:
        BaseModelError: If the folder is not a complete base model.
    """
    record = read_record(base_folder(home, name_or_path))
    _, quantise = without_quantisation(name_or_path)
    return _identity(record, quantise)


def _identity(record: dict[str, Any], quantise: Quantisation | None) -> tuple[str, str]:
    name, digest = record["name"], record["digest"]
    if quantise is None:
        return name, digest
    # Other weights, so another base model: its adapters fit no other.
    return f"{name}{_SUFFIX}", hashlib.sha256(f"{digest} {quantise} nf4".encode()).hexdigest()


def read_record(folder: Path) -> dict[str, Any]:
    """The record ``nerloop-base.json`` of a base model's folder.

    Raises:
        BaseModelError: If the folder is not a complete base model, all shards included.
    """
    missing = [name for name in (*COMPANION_FILES, RECORD_FILE) if not (folder / name).is_file()]
    if missing:
        raise BaseModelError(
            f"There is no complete base model in {folder}: {', '.join(missing)} missing. "
            "Fetch it with: nerloop base fetch NAME"
        )
    weight_files(folder)
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
    found = folder_digest(folder)
    _require(folder, record["digest"], found)
    entry = ENTRIES.get(record["name"])
    if entry is not None and entry.digest is not None:
        _require(folder, entry.digest, found)
    return found


def load_base(
    home: Path,
    name_or_path: str,
    *,
    verify: bool = False,
    device: str | None = None,
    quantise: Quantisation | None = None,
) -> LoadedBase:
    """Load a causal base model.

    The recorded digest is compared with the catalogue's and the recorded size with the files'; the
    tensors are hashed only on request. Half-precision weights stay in half precision where the
    hardware multiplies it fast: bf16 on a GPU that has it, else fp16; on a CPU bf16, else float32.
    A quantised model is another base model with a digest of its own, for its weights differ.

    Args:
        home: The folder with nerloop's state.
        name_or_path: Catalogue name, or a folder; ``+4bit`` behind it asks for quantised weights.
        verify: Hash all tensors first.
        device: ``cpu`` or ``cuda``; None takes a GPU where there is one.
        quantise: The same wish as an argument: ``4bit`` for 4-bit NormalFloat weights by
            bitsandbytes (Dettmers et al., arXiv:2305.14314); needs a GPU and ``nerloop[gpu]``.

    Raises:
        BaseModelError: If the base is missing, damaged, of another digest, of an architecture that
            nerloop cannot run, or the device or the quantisation is not to be had here.
    """
    plain, wished = without_quantisation(name_or_path)
    quantise = quantise or wished
    folder = base_folder(home, plain)
    record = read_record(folder)
    entry = ENTRIES.get(plain)
    if entry is not None and entry.digest is not None:
        _require(folder, entry.digest, record["digest"])
    if sum(path.stat().st_size for path in weight_files(folder)) != record["bytes"]:
        raise BaseModelError(f"The weights in {folder} are not those that were fetched. {_FIX}")
    if verify:
        verify_base(folder)
    from model.base.network import causal_model

    network = causal_model(folder, device=device, quantise=quantise)
    name, digest = _identity(record, quantise)
    return LoadedBase(network, _tokenizer(folder), digest, name)


_FIX = "Delete the folder and fetch the base model again: nerloop base fetch NAME"


def _require(folder: Path, expected: str, found: str) -> None:
    if expected != found:
        raise BaseModelError(
            f"The base model in {folder} has digest {found}, but {expected} is expected. {_FIX}"
        )


def _tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises the bare class
        raise BaseModelError(f"The tokenizer in {folder} cannot be read: {error}") from error
