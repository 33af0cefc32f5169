"""A random encoder of two layers in the format of the base models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from base_record import write_record


def write_tiny_encoder(folder: Path, *, positions: int = 64, kind: str = "bert") -> Path:
    """Write it and return its folder; its tokenizer truncates, as published ones do."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoConfig, AutoModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    texts = ["ann met ben in oslo and rome", "the quiet old bridge sang for eva and dan in bonn"]
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts * 10, trainer)
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
