"""A LLaMA of random weights with a tokenizer and texts, all made here: nothing is downloaded."""

from __future__ import annotations

import importlib
import random
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from model.base.network import fast_bf16, gpu_number_type
from model.spans import AnnotatedText, Label, LabelSet, Span

LLAMA_2_7B: dict[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
}
TINY: dict[str, Any] = {
    "vocab_size": 2000,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
}
FILLERS = """
the old report on water levels was read aloud before lunch and nobody asked a question
while rain kept falling over every roof in town until late evening
"""
FIRST = ("Anna", "Tomas", "Mirela", "Okoro", "Yuki", "Selma", "Pavel", "Ines")
LAST = ("Berg", "Santos", "Novak", "Adeyemi", "Tanaka", "Lind", "Moreau", "Khan")
PLACES = ("Oslo", "Porto", "Lagos", "Kyoto", "Graz", "Tartu", "Cork", "Leeds")
FIRMS = ("Halden Mills", "Brightwater", "Norvik Group", "Sable and Sons")
LABELS = LabelSet(
    tuple(
        Label(name.upper(), name)
        for name in ("person", "place", "company", "product", "event", "work of art")
    )
)


def block_parameters(config: Any) -> int:
    """Weights of the linear layers inside a LLaMA's blocks: what every token is multiplied by."""
    width, wide = config.hidden_size, config.intermediate_size
    head = width // config.num_attention_heads
    attention = 2 * width * head * (config.num_attention_heads + config.num_key_value_heads)
    return int(config.num_hidden_layers * (attention + 3 * width * wide))


def invented(count: int, seed: int) -> list[AnnotatedText]:
    """Sentences of about 20 words with a few names, made up and annotated."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        text, spans = "", []
        for filler in draw.choices(FILLERS.split(), k=draw.randint(12, 24)):
            kind = draw.choices(("", "PERSON", "PLACE", "COMPANY"), (24, 2, 1, 1))[0]
            names = {
                "": filler,
                "PERSON": f"{draw.choice(FIRST)} {draw.choice(LAST)}",
                "PLACE": draw.choice(PLACES),
                "COMPANY": draw.choice(FIRMS),
            }
            text += " " if text else ""
            if kind:
                spans.append(Span(len(text), len(text) + len(names[kind]), kind))
            text += names[kind]
        made.append(AnnotatedText(f"{text}.", tuple(spans)))
    return made


def tokenizer_for(texts: Sequence[AnnotatedText]) -> Tokenizer:
    """A byte-level BPE trained on the texts; its ids fit into every shape here."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1200, initial_alphabet=alphabet, show_progress=False)
    names = " ".join(label.question for label in LABELS.labels)
    lines = [item.text for item in texts] + [f"Text: none << {names} >>"] * 50
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def network(shape: dict[str, Any], device: str) -> Any:
    """A LLaMA of random weights, frozen."""
    low = gpu_number_type() if device == "cuda" else torch.bfloat16 if fast_bf16() else None
    before = torch.get_default_dtype()
    torch.set_default_dtype(low or torch.float32)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            made: Any = LlamaForCausalLM(LlamaConfig(tie_word_embeddings=False, **shape))
    finally:
        torch.set_default_dtype(before)
    made.requires_grad_(requires_grad=False)
    return made.eval()


def in_4_bits(made: Any) -> Any:
    """The same network with the linear layers of its blocks in 4-bit NormalFloat."""
    bits = importlib.import_module("bitsandbytes")
    for block in made.get_decoder().layers:
        for parent in (block.self_attn, block.mlp):
            for name, layer in list(parent.named_children()):
                if isinstance(layer, nn.Linear):
                    small = bits.nn.Linear4bit(
                        layer.in_features,
                        layer.out_features,
                        bias=False,
                        compute_dtype=layer.weight.dtype,
                        quant_type="nf4",
                    )
                    small.weight = bits.nn.Params4bit(
                        layer.weight.data.cpu(), requires_grad=False, quant_type="nf4"
                    )
                    setattr(parent, name, small.to("cuda"))
    torch.cuda.empty_cache()
    return made
