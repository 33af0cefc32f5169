"""Which networks nerloop can run as a causal base model, read off their ``config.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model.base.decoder import SUPPORTED
from model.errors import BaseModelError

_MISTRAL_WINDOW = 4096


def require_supported(folder: Path) -> None:
    """Refuse a network whose attention cannot be given the mask of a packed sequence.

    Packed questions need rotary positions that may repeat and attention over the whole sequence; a
    sliding window would be measured in places of the pack, not in positions of the text.

    Args:
        folder: A base model's folder.

    Raises:
        BaseModelError: If ``config.json`` is damaged, of another architecture, or asks for
            attention in a sliding window.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseModelError(f"{path} is damaged or names no model_type: {error}") from error
    known = ", ".join(SUPPORTED)
    if kind not in SUPPORTED:
        raise BaseModelError(
            f"The base model in {folder} is of the architecture {kind}, which nerloop cannot run. "
            f"These work: {known}."
        )
    if _slides(config):
        raise BaseModelError(
            f"The base model in {folder} attends in a sliding window, which packed questions "
            f"cannot use. These work, without a window: {known}."
        )


def _slides(config: dict[str, Any]) -> bool:
    if "sliding_attention" in (config.get("layer_types") or ()):
        return True
    kind = config["model_type"]
    if kind == "mistral":
        # Where the key is missing the library fills in a window of this size.
        return config.get("sliding_window", _MISTRAL_WINDOW) is not None
    if kind in ("qwen2", "qwen3"):
        return bool(config.get("use_sliding_window", False))
    return False
