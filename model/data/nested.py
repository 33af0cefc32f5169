"""Nested annotations: one JSON object per sentence with its words and all its spans."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.data.conll import ConllError, read_conll
from model.spans import AnnotatedText, Span

NESTED_SUFFIX = ".jsonl"


def read_annotated(path: Path, *, spaced: bool = True) -> list[AnnotatedText]:
    """Read a labelled file: nested annotations if its name ends in ``.jsonl``, else CoNLL.

    Args:
        path: The file.
        spaced: Whether one space stands between words; nested files always have it.

    Raises:
        ConllError: If the file cannot be read or has another format.
    """
    return read_nested(path) if path.suffix == NESTED_SUFFIX else read_conll(path, spaced=spaced)


def read_nested(path: Path) -> list[AnnotatedText]:
    """Read ``{"tokens": [...], "entities": [[first, last + 1, type], ...]}``, one per line.

    Words are joined by one space, so offsets refer to the joined text; spans may overlap.

    Raises:
        ConllError: If the file cannot be read, or a line has another shape.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConllError(f"{path} cannot be read as UTF-8 text: {error}") from error
    items = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            items.append(_annotated(json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ConllError(
                f"{path}, line {number}: expected words under 'tokens' and spans under"
                f" 'entities': {error}"
            ) from error
    return items


def _annotated(value: Mapping[str, Any]) -> AnnotatedText:
    words = [str(word) for word in value["tokens"]]
    starts, end = [], 0
    for word in words:
        starts.append(end)
        end += len(word) + 1
    spans = []
    for first, after, label in value["entities"]:
        last = int(after) - 1
        if not 0 <= int(first) <= last < len(words):
            raise ValueError(f"no words {first} to {after}")
        spans.append(Span(starts[int(first)], starts[last] + len(words[last]), str(label)))
    return AnnotatedText(" ".join(words), tuple(sorted(spans)))
