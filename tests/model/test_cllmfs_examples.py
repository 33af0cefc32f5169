from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from model.cllmfs.decoding import SpanCopy
from model.cllmfs.examples import Losses, TrainingRow, mentions_of, training_rows
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


def learned(row: TrainingRow) -> list[tuple[tuple[int, int], float]]:
    """What a row learns: (token, the one that follows it) with its weight."""
    packed = row.pack
    return [
        ((token, target), weight)
        for token, target, weight in zip(packed.ids, packed.targets, packed.weights, strict=True)
        if target != IGNORED
    ]


ITEM = AnnotatedText("Anna met Ben in Oslo", (Span(0, 4, "PER"), Span(16, 20, "LOC")))
MANY = [PERSON, PLACE, *(Label(f"X{n}", f"thing {n}") for n in range(64))]


def test_groups_and_single_rows_learn_the_same_from_66_labels(encoder: PromptEncoder) -> None:
    def rows(group: int, *, packed: bool = True) -> list[TrainingRow]:
        return training_rows(
            ITEM, MANY, encoder, Losses(), window=100, group=group, packed=packed, absent_weight=0.5
        )

    whole, grouped, single = rows(66), rows(16), rows(16, packed=False)
    assert [len(rows) for rows in (whole, grouped, single)] == [1, 5, 66]
    expected = learned(whole[0])
    for parts in (grouped, single):
        assert [pair for row in parts for pair in learned(row)] == expected
        assert sum(len(row.contrasts) for row in parts) == len(whole[0].contrasts) == 2


def test_with_the_instruction_first_every_question_is_a_row(tokenizer: Tokenizer) -> None:
    encoder = PromptEncoder(tokenizer, "instruction_first")
    rows = training_rows(ITEM, [PERSON, PLACE], encoder, Losses(), window=100, group=16)
    assert len(rows) == 2
    for row, name, mention in zip(rows, (" person", " place"), (" Anna", " Oslo"), strict=True):
        (contrast,) = row.contrasts
        ids = row.pack.ids
        assert tokenizer.decode([ids[token] for token in contrast.anchor]) == name
        assert tokenizer.decode([ids[token] for token in contrast.positive]) == mention
        answer = [target for (_, target), _ in learned(row)]
        assert tokenizer.decode(answer).endswith(f" <<<{mention} >>><im_end>")
        assert answer == list(ids[-len(answer) :])


def test_the_whole_row_can_be_learned(encoder: PromptEncoder) -> None:
    """Everything but the prefix' first token and each question's first one has a predecessor.

    The first token of a question has none of its own: the same prefix stands before all questions.
    """
    (row,) = training_rows(
        ITEM, [PERSON, PLACE], encoder, Losses(), window=100, group=16, loss_on="row"
    )
    packed = row.pack
    untold = {0, *packed.starts}
    expected = [token for place, token in enumerate(packed.ids) if place not in untold]
    assert [target for (_, target), _ in learned(row)] == expected
    assert [weight for _, weight in learned(row)][: packed.starts[0] - 1] == [2.0] * (
        packed.starts[0] - 1
    )


def test_the_pairwise_loss_gets_two_tokens_on_each_side(
    tokenizer: Tokenizer, encoder: PromptEncoder
) -> None:
    item = AnnotatedText("we met Ben, Anna", (Span(7, 10, "PER"), Span(12, 16, "PER")))
    (row,) = training_rows(
        item, [PERSON], encoder, Losses(), window=100, group=16, contrast="pairwise"
    )
    (window,) = encoder.windows(item.text, limit=100)
    for contrast, word in zip(row.contrasts, (2, 4), strict=True):
        start, end = window.pieces[word]
        last = window.pieces[-1][1]
        beside = [start - 2, start - 1, *range(end, min(last, end + 2))]
        assert contrast.positive == tuple(range(start, end))
        assert contrast.negatives == tuple((token,) for token in beside)
    assert len(row.contrasts[1].negatives) == 2  # the text ends there


def test_a_mention_that_is_the_whole_text_has_no_neighbour(encoder: PromptEncoder) -> None:
    counts = Losses()
    item = AnnotatedText("Ben", (Span(0, 3, "PER"),))
    (row,) = training_rows(
        item, [PERSON], encoder, counts, window=100, group=16, contrast="pairwise"
    )
    assert (row.contrasts, counts.lonely) == ((), 1)


def absent_rows(
    encoder: PromptEncoder, share: float, seed: int, item: AnnotatedText = ITEM
) -> list[int]:
    """Questions asked of one text, drawn 40 times from one generator."""
    draw = random.Random(seed)
    return [
        sum(
            len(row.pack.starts)
            for row in training_rows(
                item,
                MANY[:7],
                encoder,
                Losses(),
                window=100,
                group=16,
                absent_share=share,
                draw=draw,
            )
        )
        for _ in range(40)
    ]


def test_a_share_of_the_absent_labels_is_asked(encoder: PromptEncoder) -> None:
    """Two labels are present and five absent; a share of 0.5 of them is two or three."""
    assert set(absent_rows(encoder, 1.0, 1)) == {7}
    assert set(absent_rows(encoder, 0.0, 1)) == {2}
    assert set(absent_rows(encoder, 0.5, 1)) == {4, 5}
    assert absent_rows(encoder, 0.5, 1) == absent_rows(encoder, 0.5, 1)
    assert absent_rows(encoder, 0.5, 1) != absent_rows(encoder, 0.5, 2)


def test_without_absent_labels_a_text_without_mentions_gives_no_row(
    encoder: PromptEncoder,
) -> None:
    item = AnnotatedText("nobody")
    assert set(absent_rows(encoder, 0.0, 1, item)) == {0}
    with pytest.raises(ValueError, match="generator"):
        training_rows(item, MANY, encoder, Losses(), window=100, group=16, absent_share=0.5)


def test_overlapping_spans_are_kept_where_words_are_reused(encoder: PromptEncoder) -> None:
    (window,) = encoder.windows("a b c d", limit=100)
    spans = [
        *(Span(2, 5, "X"), Span(0, 1, "X"), Span(0, 3, "X"), Span(0, 3, "X", 0.5)),
        Span(4, 5, "Y"),
    ]
    assert mentions_of(window, spans, "X", reuse_words=True) == [(0, 2), (0, 1), (1, 3)]
    counts = Losses()
    item = AnnotatedText("a b c d", tuple(spans[:3]))
    for reuse, crossing in ((True, 0), (False, 2)):
        counts = Losses()
        training_rows(item, [Label("X")], encoder, counts, window=100, group=16, reuse_words=reuse)
        assert counts.crossing == crossing


def test_a_span_with_a_word_that_no_answer_may_copy_is_counted(encoder: PromptEncoder) -> None:
    """Read as two tokens, the end of a mention begins like a lone " >" in the text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=262, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["a > b < none"] * 9, trainer)
    encoder = PromptEncoder(tokenizer)
    assert len(encoder.close) == 2
    item = AnnotatedText("x a > b", (Span(2, 7, "PER"), Span(0, 1, "PER")))
    (window,) = encoder.windows(item.text, limit=100)
    assert window.usable == (True, True, False, True)
    counts = Losses()
    training_rows(item, [PERSON], encoder, counts, window=100, group=16)
    assert (counts.spans, counts.crossing) == (2, 1)
    automaton = SpanCopy(window, encoder)
    for token in (*encoder.open, *window.word_ids(1), *encoder.close, *encoder.open):
        automaton.take(token)
    assert automaton.options() == window.word_ids(3)[:1]
