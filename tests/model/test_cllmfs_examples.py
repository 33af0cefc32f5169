from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model.cllmfs.examples import Losses, mentions_of, training_rows
from model.cllmfs.packing import IGNORED
from model.cllmfs.prompt import PromptEncoder
from model.errors import BaseModelError
from model.spans import AnnotatedText, Label, Span

PERSON, PLACE = Label("PER", "person"), Label("LOC", "place", "towns")


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_base / "tokenizer.json"))


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> PromptEncoder:
    return PromptEncoder(tokenizer)


def test_prompt_and_answer_read_as_intended(tokenizer: Tokenizer, encoder: PromptEncoder) -> None:
    (window,) = encoder.windows("Anna met (Ben).", limit=100)
    question = encoder.question(PLACE, descriptions=True)
    answer = encoder.answer(window, [(0, 1), (3, 4)])
    read = tokenizer.decode([*window.ids, *question.ids, *answer])
    assert read == "Text: Anna met (Ben).\nplace (towns): << Anna >> <<Ben >>\n"
    assert tokenizer.decode(question.ids[: question.name[1]]) == "place"
    assert tokenizer.decode(encoder.answer(window, [])) == " none\n"
    assert tokenizer.decode(encoder.question(PLACE, descriptions=False).ids) == "place:"


def test_lone_surrogates_are_replaced_and_words_without_tokens_are_not_lost(
    encoder: PromptEncoder,
) -> None:
    (window,) = encoder.windows("a \ud800 b", limit=100)
    assert [word.start for word in window.words] == [0, 2, 4]
    assert all(first < last for first, last in window.pieces)


def test_a_tokenizer_that_cannot_tell_the_markers_apart_is_refused() -> None:
    from tokenizers import models, pre_tokenizers

    blind = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    blind.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(BaseModelError):
        PromptEncoder(blind)


def test_a_row_asks_every_label_and_answers_none_where_nothing_is(
    tokenizer: Tokenizer, encoder: PromptEncoder
) -> None:
    item = AnnotatedText("Anna met Ben", (Span(0, 4, "PER"), Span(9, 12, "PER")))
    (row,) = training_rows(
        item, [PERSON, PLACE], encoder, Losses(), window=100, group=16, absent_weight=0.25
    )
    packed = row.pack
    first, second = packed.starts
    answers = [
        tokenizer.decode([t for t in packed.targets[start:end] if t != IGNORED])
        for start, end in ((first, second), (second, len(packed.ids)))
    ]
    assert answers == [" << Anna >> << Ben >>\n", " none\n"]
    assert set(packed.weights[first:second]) == {1.0}
    assert set(packed.weights[second:]) == {0.25}


def test_labels_beyond_the_group_size_get_rows_of_their_own(encoder: PromptEncoder) -> None:
    labels = [Label(f"L{number}") for number in range(5)]
    rows = training_rows(AnnotatedText("Ben"), labels, encoder, Losses(), window=100, group=2)
    assert [len(row.pack.starts) for row in rows] == [2, 2, 1]


def test_negatives_are_neighbouring_words_outside_all_mentions(
    tokenizer: Tokenizer, encoder: PromptEncoder
) -> None:
    """In "we saw Anna Smith , and Oslo too" the neighbours of Anna Smith are we, saw, and, too.

    The comma is no word and Oslo is a mention, of another label.
    """
    item = AnnotatedText(
        "we saw Anna Smith , and Oslo too", (Span(7, 17, "PER"), Span(24, 28, "LOC"))
    )
    (row,) = training_rows(item, [PERSON, PLACE], encoder, Losses(), window=100, group=16)
    person, _place = row.contrasts

    def read(tokens: tuple[int, ...]) -> str:
        return tokenizer.decode([row.pack.ids[token] for token in tokens]).strip()

    assert read(person.anchor) == "person"
    assert read(person.positive) == "Anna Smith"
    assert [read(word) for word in person.negatives] == ["we", "saw", "and", "too"]


def test_a_mention_without_neighbours_is_counted_not_used(encoder: PromptEncoder) -> None:
    counts = Losses()
    item = AnnotatedText("Anna", (Span(0, 4, "PER"),))
    (row,) = training_rows(item, [PERSON], encoder, counts, window=100, group=16)
    assert row.contrasts == ()
    assert (counts.spans, counts.lonely, counts.crossing) == (1, 1, 0)


def test_spans_that_cross_a_window_or_overlap_are_counted(encoder: PromptEncoder) -> None:
    counts = Losses()
    item = AnnotatedText(
        "one two three four five six",
        (Span(0, 7, "PER"), Span(4, 13, "PER"), Span(19, 23, "PER")),
    )
    rows = training_rows(item, [PERSON], encoder, counts, window=1000, group=16)
    assert (len(rows), counts.spans, counts.crossing) == (1, 3, 1)
    narrow = Losses()
    assert len(training_rows(item, [PERSON], encoder, narrow, window=8, group=16)) > 1
    assert narrow.crossing >= 1


def test_of_overlapping_spans_the_first_and_longest_is_kept(encoder: PromptEncoder) -> None:
    (window,) = encoder.windows("a b c d", limit=100)
    spans = [Span(0, 1, "X"), Span(0, 3, "X"), Span(2, 5, "X"), Span(4, 7, "X"), Span(4, 5, "Y")]
    assert mentions_of(window, spans, "X") == [(0, 2), (2, 4)]
    assert mentions_of(window, spans, "Y") == [(2, 3)]
