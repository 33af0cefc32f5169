"""Label names in the rows that an encoder reads: in front of the text, and around its spans."""

from __future__ import annotations

from collections.abc import Sequence

from model.baselines.reading import Reader, TaggedPiece
from model.encoding.words import Piece, special_ids
from model.spans import LabelSet


def prefix_of(reader: Reader, labels: LabelSet) -> list[int]:
    """Token ids of ``name, name, ... :``; cut off where the encoder could not read a piece more."""
    ids = reader.name_ids(", ".join(label.question for label in labels) + " :")
    return ids[: reader.limit - reader.window]


def with_prefix(reader: Reader, piece: Piece, prefix: Sequence[int]) -> Piece:
    """The piece behind the names."""
    before = len(special_ids(reader.tokenizer)[0])
    return Piece(
        (*piece.ids[:before], *prefix, *piece.ids[before:]),
        tuple(first + len(prefix) for first in piece.firsts),
        piece.words,
    )


def with_markers(reader: Reader, row: TaggedPiece, labels: LabelSet) -> Piece:
    """The piece with each run of words of one label as ``[ words | name ]``.

    A piece that would become too long for the encoder stays as it is.
    """
    opening, bar, closing = (reader.name_ids(sign) for sign in "[|]")
    ids, piece = list(row.piece.ids), row.piece
    until = len(ids) - len(special_ids(reader.tokenizer)[1])
    ends = [*piece.firsts[1:], until]
    marked, firsts = ids[: piece.firsts[0]], []
    for number, (tag, first, end) in enumerate(zip(row.tags, piece.firsts, ends, strict=True)):
        neighbours = (0, *row.tags, 0)[number : number + 3]
        if tag and neighbours[0] != tag:
            marked += opening
        firsts.append(len(marked))
        marked += ids[first:end]
        if tag and neighbours[2] != tag:
            marked += [*bar, *reader.name_ids(labels.labels[tag - 1].question), *closing]
    marked += ids[until:]
    if len(marked) > reader.limit:
        return piece
    return Piece(tuple(marked), tuple(firsts), piece.words)
