"""A base model's network: built from its folder, in the right number type, on the right device."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging

from model.base.architecture import require_supported
from model.base.load import Quantisation
from model.errors import BaseModelError


def causal_model(folder: Path, *, device: str | None, quantise: Quantisation | None) -> Any:
    """Build a causal language model, frozen and in evaluation mode.

    Args:
        folder: A base model's folder.
        device: ``cpu`` or ``cuda``; None takes a GPU where there is one.
        quantise: See :func:`model.base.load.load_base`.

    Raises:
        BaseModelError: If the folder's content, the architecture, the device or the quantisation
            cannot be used.
    """
    require_supported(folder)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    _require_device(place, quantise)
    reporting: Any = logging
    reporting.disable_progress_bar()
    reader: Any = AutoModelForCausalLM
    try:
        model, report = reader.from_pretrained(
            folder,
            output_loading_info=True,
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            **_options(place, quantise),
        )
    except torch.OutOfMemoryError as error:
        raise BaseModelError(
            f"The base model in {folder} does not fit into the GPU's memory. Take a smaller one, "
            "or quantise it to 4 bits."
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(f"The base model in {folder} cannot be loaded: {error}") from error
    if report["missing_keys"]:
        # The library would go on with random numbers in their place.
        listed = ", ".join(sorted(report["missing_keys"])[:5])
        raise BaseModelError(f"The weights in {folder} are not whole: {listed} missing.")
    if place == "cpu" and model.dtype in (torch.bfloat16, torch.float16):
        model = model.to(torch.bfloat16 if fast_bf16() else torch.float32)
    model.requires_grad_(requires_grad=False)
    return model.eval()


def gpu_number_type() -> torch.dtype:
    """bf16 where the GPU multiplies it in hardware, else fp16."""
    fast = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if fast else torch.float16


def fast_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware; elsewhere float32 is several times faster."""
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe()) if callable(probe) else False


def _require_device(place: str, quantise: Quantisation | None) -> None:
    usable = torch.cuda.is_available()
    if place != "cpu" and not place.startswith("cuda"):
        raise BaseModelError(f"nerloop runs on cpu and cuda, not on {place}.")
    if place.startswith("cuda") and not usable:
        raise BaseModelError("There is no GPU that torch can use here (CUDA). Use device cpu.")
    if quantise is None:
        return
    if not place.startswith("cuda"):
        raise BaseModelError("4-bit weights need a GPU with CUDA. Load the base model as it is.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BaseModelError(
            "4-bit weights need the package bitsandbytes. Install it with: "
            "pip install 'nerloop[gpu]'"
        )


def _options(place: str, quantise: Quantisation | None) -> dict[str, Any]:
    if place == "cpu":
        return {"dtype": "auto"}
    kind = gpu_number_type()
    # Straight to the GPU, file by file: the weights never lie in the main memory as a whole.
    options: dict[str, Any] = {"dtype": kind, "device_map": {"": place}}
    if quantise == "4bit":
        described: Any = BitsAndBytesConfig  # the library leaves its constructor untyped
        options["quantization_config"] = described(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=kind,
        )
    return options
