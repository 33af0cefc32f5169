from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, trainers

from model.cllmfs.config import RowFormat
from model.cllmfs.prompt import PromptEncoder
from model.spans import Label

PERSON, PLACE = Label("PER", "person"), Label("LOC", "place", "towns")
TEXT = "Anna met (Ben)."


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_base / "tokenizer.json"))


def prepending_tokenizer() -> Tokenizer:
    """A tokenizer that puts a space before every text, in the manner of LLaMA 2."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<unk>", *[f"<0x{n:02X}>" for n in range(256)]],
        show_progress=False,
    )
    lines = ["Text: Anna met (Ben).", "person: << Anna >> << Ben >>", "place: none"]
    # A merge across words would be no copyable piece; LLaMA's vocabulary has none either.
    words = [word for line in lines for word in (line.split(" ")[0], *line.split(" ")[1:])]
    tokenizer.train_from_iterator(words * 20, trainer)
    return tokenizer


def test_instruction_first_reads_as_published(tokenizer: Tokenizer) -> None:
    encoder = PromptEncoder(tokenizer, "instruction_first")
    (window,) = encoder.windows(TEXT, limit=100)
    first, second = encoder.prompts(window, [PERSON, PLACE], descriptions=True, group=16)
    assert (first.first, second.first) == (0, 1)
    (question,) = second.questions
    answer = encoder.answer(second.text, [(0, 1), (3, 4)])
    read = tokenizer.decode([*second.text.ids, *question.ids, *answer])
    assert "### Instruction:\nFind every mention of this type of entity: place (towns)." in read
    assert "### Input: Anna met (Ben).\n\n### Response: <im_start> " in read
    assert read.endswith(": <<< Anna >>> <<<Ben >>><im_end>")
    none = tokenizer.decode(encoder.answer(second.text, []))
    assert none.startswith(" <im_start>")
    assert none.endswith(": none<im_end>")
    assert question.name_in_text
    anchor = second.text.ids[question.name[0] : question.name[1]]
    assert tokenizer.decode(anchor) == " place"


def test_instruction_first_moves_the_words_behind_the_instruction(tokenizer: Tokenizer) -> None:
    encoder = PromptEncoder(tokenizer, "instruction_first")
    (window,) = encoder.windows(TEXT, limit=100)
    for prompt in encoder.prompts(window, [PERSON, PLACE], descriptions=True, group=16):
        assert [
            tokenizer.decode(prompt.text.word_ids(n)) for n in range(len(prompt.text.words))
        ] == [" Anna", " met", " (", "Ben", ")", "."]
        assert prompt.text.words == window.words
        assert prompt.text.source == TEXT


@pytest.mark.parametrize(("packed", "sizes"), [(True, [2, 1]), (False, [1, 1, 1])])
def test_sentence_first_groups_the_questions(
    tokenizer: Tokenizer, packed: bool, sizes: list[int]
) -> None:
    encoder = PromptEncoder(tokenizer)
    (window,) = encoder.windows(TEXT, limit=100)
    labels = [PERSON, PLACE, Label("X")]
    prompts = encoder.prompts(window, labels, descriptions=True, group=2, packed=packed)
    assert [len(prompt.questions) for prompt in prompts] == sizes
    for prompt in prompts:
        assert prompt.text is window
        for offset, question in enumerate(prompt.questions):
            label = labels[prompt.first + offset]
            assert question == encoder.question(label, descriptions=True)


@pytest.mark.parametrize("row_format", ["sentence_first", "instruction_first"])
def test_a_tokenizer_that_puts_a_space_before_every_text_reads_the_same(
    row_format: RowFormat, tokenizer: Tokenizer
) -> None:
    other = prepending_tokenizer()
    bare, spaced = (other.encode(text).ids for text in ("Ben", " Ben"))
    assert other.decode(bare) == "Ben"
    assert len(spaced) > len(bare)  # it would read two spaces
    read = []
    for each in (tokenizer, other):
        encoder = PromptEncoder(each, row_format)
        (window,) = encoder.windows(TEXT, limit=100)
        (prompt,) = encoder.prompts(window, [PLACE], descriptions=True, group=4)
        ids = [
            *prompt.text.ids,
            *prompt.questions[0].ids,
            *encoder.answer(prompt.text, [(0, 1), (3, 4)]),
        ]
        read.append(encoder.decode(ids).strip())
        assert all(window.usable)
    assert read[0] == read[1]


def test_pieces_of_such_a_tokenizer_are_the_words_themselves() -> None:
    tokenizer = prepending_tokenizer()
    encoder = PromptEncoder(tokenizer)
    (window,) = encoder.windows("Anna met(Ben", limit=100)
    pieces = [
        "".join(str(tokenizer.id_to_token(token)) for token in window.word_ids(number))
        for number in range(4)
    ]
    assert pieces == ["\u2581Anna", "\u2581met", "(", "Ben"]
