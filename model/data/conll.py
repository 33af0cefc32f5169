"""Two-column CoNLL files as annotated texts with character offsets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from model.errors import NerLoopError
from model.spans import AnnotatedText, Label, LabelSet, Span

_AFTER_LATIN = "\u0250"


class ConllError(NerLoopError):
    """The file is not two-column CoNLL with BIO2 labels."""


def read_conll(path: Path, *, spaced: bool = True) -> list[AnnotatedText]:
    """Read ``token<TAB>label`` lines in UTF-8; a blank line ends a sentence.

    Tokens are joined by one space, so offsets refer to the joined text. Windows line ends and a
    byte order mark are no part of it; an empty file holds no sentence.

    Args:
        path: The file.
        spaced: False for scripts without spaces: see :func:`annotated`.

    Raises:
        ConllError: If the file cannot be read, a line has no two columns, or a label is not BIO2.
    """
    return [
        annotated([token for token, _ in rows], [tag for _, tag in rows], spaced=spaced)
        for rows in _sentences(path)
    ]


def annotated(tokens: Sequence[str], tags: Sequence[str], *, spaced: bool = True) -> AnnotatedText:
    """Join tokens and turn BIO2 tags into spans.

    An ``I-`` tag that continues nothing opens a span of its own.

    Args:
        tokens: The words.
        tags: One tag per word.
        spaced: Whether one space stands between words; if not, only between two words of Latin
            letters.

    Raises:
        ConllError: If a tag is not ``O``, ``B-type`` or ``I-type``.
    """
    spans: list[Span] = []
    opened: tuple[int, str] | None = None
    text = last = ""
    end = 0
    for token, tag in zip(tokens, tags, strict=True):
        # The type is everything after the first hyphen and may hold hyphens itself.
        prefix, _, label = tag.partition("-")
        if (tag != "O" and prefix not in ("B", "I")) or (tag != "O" and not label):
            raise ConllError(f"{tag!r} is not a BIO2 label.")
        continues = prefix == "I" and opened is not None and opened[1] == label
        if opened is not None and not continues:
            spans.append(Span(opened[0], end, opened[1]))
            opened = None
        if text and (spaced or (_latin(last) and _latin(token))):
            text += " "
        if tag != "O" and not continues:
            opened = (len(text), label)
        text, last = text + token, token
        end = len(text)
    if opened is not None:
        spans.append(Span(opened[0], end, opened[1]))
    return AnnotatedText(text, tuple(spans))


def read_label_set(path: Path) -> LabelSet:
    """Read ``labels.json``: ``{"types": {label: natural name}}``.

    Raises:
        ConllError: If the file cannot be read or has another shape.
    """
    try:
        types = json.loads(path.read_text(encoding="utf-8"))["types"]
        return LabelSet(tuple(Label(name, str(natural)) for name, natural in types.items()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConllError(f"{path} does not hold label names under 'types': {error}") from error


def without_repeats(items: Iterable[AnnotatedText]) -> list[AnnotatedText]:
    """The first of every text, in order: some corpora repeat sentences, with other labels even."""
    first: dict[str, AnnotatedText] = {}
    for item in items:
        first.setdefault(item.text, item)
    return list(first.values())


def _latin(token: str) -> bool:
    letters = [sign for sign in token if sign.isalpha()]
    return bool(letters) and all(sign < _AFTER_LATIN for sign in letters)


def _sentences(path: Path) -> Iterator[list[tuple[str, str]]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConllError(f"{path} cannot be read as UTF-8 text: {error}") from error
    rows: list[tuple[str, str]] = []
    for number, line in enumerate(content.split("\n"), start=1):
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
