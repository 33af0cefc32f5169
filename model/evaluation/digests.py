"""Digests of what a measurement depends on: equal content gives equal digests on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from model.method import AdapterFiles
from model.spans import AnnotatedText


def value_digest(value: Any) -> str:
    """SHA-256 of a JSON value with sorted keys, in hex; lone surrogates are kept as escapes."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def items_digest(items: Iterable[AnnotatedText]) -> str:
    """SHA-256 over texts and gold spans, in order; scores do not count."""
    return value_digest(
        [[item.text, sorted(list(span.key) for span in item.spans)] for item in items]
    )


def texts_digest(texts: Sequence[str]) -> str:
    """SHA-256 over texts, in order."""
    return value_digest(list(texts))


def adapter_digest(files: AdapterFiles) -> str:
    """SHA-256 over names and contents of an adapter's files, in the order of the names."""
    return value_digest(
        {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    )
