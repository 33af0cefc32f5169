from __future__ import annotations

from collections import Counter

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from model.baselines.reading import Reader
from model.baselines.recipe import Task
from model.baselines.settings import BaselineConfig, EpisodicConfig
from model.baselines.source_draws import drawn_batches, drawn_episodes
from model.data.episode_sampling import EpisodeError
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS = LabelSet((Label("animal"), Label("tool"), Label("unused")))
CORPUS = [
    AnnotatedText(f"{a} {b}" + " x" * (4 * n), (Span(0, 3, "animal"), Span(4, 7, "tool")))
    for n, (a, b) in enumerate((("cow", "saw"), ("dog", "bar"), ("ant", "rod"), ("bee", "nut")))
]


@pytest.fixture
def reader() -> Reader:
    names = [word for item in CORPUS for word in item.text.split()]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(names)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return Reader(tokenizer, 32, 64, 0)


def test_every_text_is_used_once_before_any_is_used_again(reader: Reader) -> None:
    config = BaselineConfig(source_steps=32, source_batch=2)
    batches = drawn_batches(Task(CORPUS, LABELS, 1), reader, config)
    assert [len(batch) for batch in batches] == [2] * 32
    # 32 texts are read before the first batch is made: each of the four 8 times
    used = Counter(row.piece.ids for batch in batches[:16] for row in batch)
    assert sorted(used.values()) == [8, 8, 8, 8]
    # and those of a batch are of similar length
    spread = [abs(len(a.piece.ids) - len(b.piece.ids)) for a, b in batches]
    assert max(spread) <= 4
    assert batches == drawn_batches(Task(CORPUS, LABELS, 1), reader, config)
    assert batches != drawn_batches(Task(CORPUS, LABELS, 2), reader, config)


def test_words_carry_io_or_bio_tags(reader: Reader) -> None:
    config = BaselineConfig(source_steps=1, source_batch=4)
    task = Task(CORPUS, LABELS, 1)
    io, bio = (drawn_batches(task, reader, config, bio=kind)[0] for kind in (False, True))
    assert {row.tags[:2] for row in io} == {(1, 2)}
    assert {row.tags[:2] for row in bio} == {(1, 3)}


def test_episodes_ask_for_labels_that_occur(reader: Reader) -> None:
    config = EpisodicConfig(source_steps=3, ways=5, shots=1, queries=1)
    episodes = drawn_episodes(Task(CORPUS, LABELS, 1), config)
    assert len(episodes) == 3
    for episode in episodes:
        assert episode.labels.names == ("animal", "tool")
        assert len(episode.support) == len(episode.query) == 1
        assert episode.support != episode.query
    with pytest.raises(EpisodeError):
        drawn_episodes(Task(CORPUS, LABELS, 1), EpisodicConfig(source_steps=1, shots=4, queries=4))
