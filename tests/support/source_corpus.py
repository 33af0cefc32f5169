"""A data folder with a tiny source corpus."""

from __future__ import annotations

import json
from pathlib import Path


def write_source_corpus(folder: Path, conll: str) -> Path:
    """Write ``fewnerd_inter/train.conll`` with its names of types below a folder; returns it."""
    corpus = folder / "fewnerd_inter"
    corpus.mkdir(parents=True)
    (corpus / "train.conll").write_text(conll)
    types = {"person-politician": "politician", "location-GPE": "place"}
    (corpus / "labels.json").write_text(json.dumps({"types": types}))
    return folder
