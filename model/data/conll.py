"""Two-column CoNLL files as annotated texts with character offsets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from model.errors import NerLoopError
from model.spans import AnnotatedText, Label, LabelSet, Span


class ConllError(NerLoopError):
    """The file is not two-column CoNLL with BIO2 labels."""


def read_conll(path: Path) -> list[AnnotatedText]:
    """Read ``token<TAB>label`` lines; a blank line ends a sentence.

    Tokens are joined by one space, so offsets refer to the joined text.

    Raises:
        ConllError: If a line has no two columns, or a label is not BIO2.
    """
    return [
        annotated([token for token, _ in rows], [tag for _, tag in rows])
        for rows in _sentences(path)
    ]


def annotated(tokens: Sequence[str], tags: Sequence[str]) -> AnnotatedText:
    """Join tokens by one space and turn BIO2 tags into spans.

    An ``I-`` tag that continues nothing opens a span of its own.

    Raises:
        ConllError: If a tag is not ``O``, ``B-type`` or ``I-type``.
    """
    spans: list[Span] = []
    opened: tuple[int, str] | None = None
    position = end = 0
    for token, tag in zip(tokens, tags, strict=True):
        # The type is everything after the first hyphen and may hold hyphens itself.
        prefix, _, label = tag.partition("-")
        if (tag != "O" and prefix not in ("B", "I")) or (tag != "O" and not label):
            raise ConllError(f"{tag!r} is not a BIO2 label.")
        continues = prefix == "I" and opened is not None and opened[1] == label
        if opened is not None and not continues:
            spans.append(Span(opened[0], end, opened[1]))
            opened = None
        if tag != "O" and not continues:
            opened = (position, label)
        end = position + len(token)
        position = end + 1
    if opened is not None:
        spans.append(Span(opened[0], end, opened[1]))
    return AnnotatedText(" ".join(tokens), tuple(spans))


def read_label_set(path: Path) -> LabelSet:
    """Read ``labels.json``: ``{"types": {label: natural name}}``.

    Raises:
        ConllError: If the file has another shape.
    """
    try:
        types = json.loads(path.read_text(encoding="utf-8"))["types"]
        return LabelSet(tuple(Label(name, str(natural)) for name, natural in types.items()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConllError(f"{path} does not hold label names under 'types': {error}") from error


def without_repeats(items: Iterable[AnnotatedText]) -> list[AnnotatedText]:
    """The first of every text, in order: some corpora repeat sentences, with other labels even."""
    first: dict[str, AnnotatedText] = {}
    for item in items:
        first.setdefault(item.text, item)
    return list(first.values())


def _sentences(path: Path) -> Iterator[list[tuple[str, str]]]:
    rows: list[tuple[str, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip("\r"):
            if rows:
                yield rows
            rows = []
            continue
        token, tab, tag = line.rstrip("\r").partition("\t")
        if not tab or not token:
            raise ConllError(f"{path}, line {number}: expected a token, a tab and a label.")
        rows.append((token, tag))
    if rows:
        yield rows
