"""A random encoder of two layers in the format of the base models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from base_record import write_record


def write_tiny_encoder(folder: Path, *, positions: int = 64, kind: str = "bert") -> Path:
    """Write it and return its folder; its tokenizer truncates, as published ones do."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel

    folder.mkdir(parents=True, exist_ok=True)
    # A trained vocabulary would come in another order each time.
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["ann", "met", "ben", "in", "oslo", "and", "rome", "the", "quiet", "old", "bridge"]
    words += ["sang", "for", "eva", "dan", "bonn"]
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *letters,
        *(f"##{one}" for one in letters),
        *words,
    ]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(8)
    tokenizer.save(str(folder / "tokenizer.json"))
    more: dict[str, Any] = {"relative_attention": True} if kind == "deberta-v2" else {}
    config: Any = AutoConfig.for_model(
        kind,
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        pad_token_id=0,
        **more,
    )
    reader: Any = AutoModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        without = {} if kind == "deberta-v2" else {"add_pooling_layer": False}
        network = reader.from_config(config, **without)
    network.save_pretrained(folder)
    return write_record(folder)
