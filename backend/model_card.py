"""The model card of an exported version, in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from model.base.catalogue import ENTRIES
from model.registry.artifacts import MANIFEST
from model.registry.lineage import Lineage
from model.registry.versions import VersionView

CARD = "README.md"
_HEADER = """---
library_name: {library}
tags: [named-entity-recognition, few-shot, lora, nerloop]
---
"""
_PEFT = """This folder is a plain LoRA adapter. It holds no code, and no text it was trained on.
peft puts it on a clean copy of the base model `{base}`:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("path/to/{base}")
model = PeftModel.from_pretrained(base, "this/folder")
```

`nerloop base fetch {base}` gets that base model. How a text becomes questions, and answers become
spans, is nerloop's part: see its documentation, "CLLMFS"."""
_ENCODER = """This folder belongs to nerloop's method `{method}`, and only nerloop reads all of it.
`adapter_model.safetensors` holds a LoRA for the encoder `{base}`; to find spans, the further layers
in `heads.safetensors` and the vectors of annotated words in `support.safetensors` (a base adapter
has none) are needed as well. peft alone cannot use it. It holds no code, and no text it was trained
on; vectors can still tell something about the words they stand for."""


def peft_loads(method: str) -> bool:
    """Whether peft alone can use the adapters of a method."""
    return method == "cllmfs"


def card(view: VersionView, origin: Lineage, files: Mapping[str, bytes]) -> str:
    """Write the card.

    Args:
        view: The version.
        origin: What it was made from.
        files: Its files, which the card lists.
    """
    plain = peft_loads(view.method)
    about = (_PEFT if plain else _ENCODER).format(base=_plain(view.base_name), method=view.method)
    parts = [
        _HEADER.format(library="peft" if plain else "nerloop"),
        f"# Adapter version {view.name}",
        about,
        "## What it is",
        _table(_identity(view, origin)),
        "## What it learnt from",
        _data(origin),
        "## How good it is",
        _scores(view),
        "## Licence",
        _licence(view),
        "## Configuration",
        f"```json\n{json.dumps(view.config, indent=2, sort_keys=True)}\n```",
        "## Files",
        _table([(f"`{name}`", f"{len(files[name]):,} bytes") for name in sorted(files)]),
        f"`{MANIFEST}` has the SHA-256 of each; its own is the adapter's digest above.",
    ]
    return "\n\n".join(parts).lstrip("\n") + "\n"


def _identity(view: VersionView, origin: Lineage) -> list[tuple[str, str]]:
    snapshot = origin.snapshot_digest
    return [
        ("method", f"`{view.method}`"),
        ("base model", f"`{_plain(view.base_name)}`"),
        ("digest of the base model", f"`{view.base_digest}`"),
        ("digest of this adapter", f"`{view.artifact_digest}`"),
        ("digest of the annotations", f"`{snapshot}`" if snapshot else "none: a base adapter"),
        ("training run", "none" if view.run_id is None else str(view.run_id)),
        ("seed", str(view.seed)),
        ("made", f"{view.created_at:%Y-%m-%d %H:%M} UTC"),
    ]


def _data(origin: Lineage) -> str:
    if origin.snapshot_digest is None:
        return "This is the base adapter the project began with; no annotation of it was used."
    counted = f"{origin.shots} annotated spans in {len(origin.items)} texts:"
    rows = [(f"`{_plain(label)}`", str(spans)) for label, spans in origin.label_spans]
    return f"{counted}\n\n{_table([('label', 'spans'), *rows])}"


def _scores(view: VersionView) -> str:
    if view.f1 is None:
        return "Nobody measured it on held-out texts."
    return (
        f"Strict micro F1 (start, end and label exact) of {100 * view.f1:.1f} on {view.documents} "
        "held-out texts of the same project, annotated without suggestions and never trained on."
    )


def _licence(view: VersionView) -> str:
    entry = ENTRIES.get(view.base_name)
    of_base = f"`{entry.licence}`" if entry else "not known to nerloop: ask who made it"
    return (
        f"The base model is under its own licence ({of_base}) and is not in this folder. Every "
        "version starts as a copy of the project's base adapter; those shipped with nerloop are "
        "under CC BY-SA 4.0, so a changed copy that is passed on is too. What the annotated texts "
        "allow, their owner says."
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    head, *rest = rows if rows[0] == ("label", "spans") else [("", ""), *rows]
    lines = [head, ("---", "---"), *rest]
    return "\n".join(f"| {left} | {right} |" for left, right in lines)


def _plain(words: str) -> str:
    """Words of people inside a code span of a table: nothing in them may end either."""
    return re.sub(r"[`|\s<>\\]+", " ", words).strip()
