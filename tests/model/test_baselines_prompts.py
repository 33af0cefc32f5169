from __future__ import annotations

from pathlib import Path

import pytest

from model.base.encoder import load_encoder
from model.baselines.prompts import prefix_of, with_markers, with_prefix
from model.baselines.reading import Reader, TaggedPiece
from model.spans import AnnotatedText, Label, LabelSet, Span
from tiny_encoder import write_tiny_encoder

LABELS = LabelSet((Label("PER", "eva"), Label("LOC", "rome")))
TEXT = AnnotatedText(
    "ann met ben dan in oslo",
    (Span(0, 3, "PER"), Span(8, 15, "PER"), Span(19, 23, "LOC")),
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    folder = write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")
    return Reader(load_encoder(folder, str(folder)).tokenizer, 32, 64, 0)


def test_names_stand_in_front_and_words_move(reader: Reader) -> None:
    piece = reader.pieces(TEXT.text)[0]
    prefix = prefix_of(reader, LABELS)
    assert prefix == reader.name_ids("eva, rome :")
    moved = with_prefix(reader, piece, prefix)
    assert moved.words == piece.words
    assert moved.ids == (2, *prefix, *piece.ids[1:])
    assert [moved.ids[k] for k in moved.firsts] == [piece.ids[k] for k in piece.firsts]


def test_names_are_cut_where_the_encoder_could_not_read_the_text(reader: Reader) -> None:
    many = LabelSet(tuple(Label(f"label {number}") for number in range(40)))
    assert len(prefix_of(reader, many)) == 32


def test_each_span_is_marked_with_its_name(reader: Reader) -> None:
    row = reader.tagged([TEXT], LABELS.names)[0]
    assert row.tags == (1, 0, 1, 1, 0, 2)
    marked = with_markers(reader, row, LABELS)
    signs = [reader.name_ids(sign) for sign in ("[", "|", "]")]
    words = [reader.name_ids(word) for word in TEXT.text.split()]
    eva, rome = reader.name_ids("eva"), reader.name_ids("rome")
    expected = [
        *([2], signs[0], words[0], signs[1], eva, signs[2], words[1]),
        *(signs[0], words[2], words[3], signs[1], eva, signs[2], words[4]),
        *(signs[0], words[5], signs[1], rome, signs[2], [3]),
    ]
    assert list(marked.ids) == [id_ for part in expected for id_ in part]
    assert marked.words == row.piece.words
    assert [marked.ids[k] for k in marked.firsts] == [own[0] for own in words]


def test_a_piece_that_would_become_too_long_stays_as_it_is(reader: Reader) -> None:
    row = reader.tagged([TEXT], LABELS.names)[0]
    short = Reader(reader.tokenizer, 32, len(row.piece.ids) + 1, 0)
    assert with_markers(short, row, LABELS) == row.piece


def test_the_states_of_words_do_not_depend_on_who_is_read_beside_them(
    reader: Reader, tmp_path: Path
) -> None:
    folder = write_tiny_encoder(tmp_path / "tiny")
    network = load_encoder(folder, str(folder)).model
    pieces = [reader.pieces(text)[0] for text in ("ann", "the old bridge sang", "met ben")]
    for layers in ("last", "mean4", "sum4"):
        together = reader.all_states(network, pieces, layers)
        assert [len(own) for own in together] == [1, 4, 2]
        for piece, own in zip(pieces, together, strict=True):
            alone = reader.states(network, [piece], layers)
            assert (alone - own).abs().max() < 1e-5


def test_tags_without_words_make_no_row(reader: Reader) -> None:
    assert reader.tagged([AnnotatedText("")], LABELS.names) == []
    row = TaggedPiece(reader.pieces("ann")[0], (1,))
    assert with_markers(reader, row, LABELS).firsts == (2,)
