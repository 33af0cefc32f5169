from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.base.encoder import load_encoder
from model.baselines.schedule import TaggerConfig, TaggerConfigError
from model.baselines.tagger import Tagger
from model.encoding.schedule import rate_shares
from model.encoding.tags import spans_of, tags_of
from model.encoding.words import pieces_of
from model.errors import AdapterError, BaseModelError, TrainingDataError
from model.methods import load_base_for, open_method, start_adapter
from model.spans import AnnotatedText, Label, LabelSet, Span
from tiny_encoder import write_tiny_encoder

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
SUPPORT = [
    AnnotatedText(
        "Ann met Ben in Oslo.", (Span(0, 3, "PER"), Span(8, 11, "PER"), Span(15, 19, "LOC"))
    ),
    AnnotatedText("Eva sang in Bonn.", (Span(0, 3, "PER"), Span(12, 16, "LOC"))),
    AnnotatedText("The old bridge sang."),
]
FAST = TaggerConfig(rate=5e-3, head_rate=1e-2, epochs=1, min_steps=60, threads=1)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def tokenizer(tiny_encoder: Path) -> Tokenizer:
    return load_encoder(tiny_encoder, str(tiny_encoder)).tokenizer


@pytest.fixture
def tagger(tiny_encoder: Path) -> Tagger:
    return Tagger(load_encoder(tiny_encoder, str(tiny_encoder)), FAST)


def test_a_fit_learns_its_support_and_the_files_alone_carry_it(
    tagger: Tagger, tiny_encoder: Path
) -> None:
    steps: list[int] = []
    fitted = tagger.fit(
        SUPPORT,
        LABELS,
        start=tagger.fresh_adapter(0).files,
        seed=1,
        on_step=lambda progress: steps.append(progress.step),
    )
    assert steps == list(range(1, 61))
    other = Tagger(load_encoder(tiny_encoder, str(tiny_encoder)), FAST)
    other.load("a", fitted.files)
    found = other.predict([item.text for item in SUPPORT], LABELS, adapter="a")
    assert [{span.key for span in own.spans} for own in found] == [
        {span.key for span in item.spans} for item in SUPPORT
    ]
    only = LabelSet((Label("LOC"),))
    spans = other.predict([SUPPORT[0].text], only, adapter="a")[0].spans
    assert {span.label for span in spans} == {"LOC"}


def test_the_same_seed_gives_the_same_bytes_whatever_was_trained_before(tagger: Tagger) -> None:
    start = tagger.fresh_adapter(0).files
    first = tagger.fit(SUPPORT, LABELS, start=start, seed=1)
    second = tagger.fit(SUPPORT[:1], LABELS, start=start, seed=2)
    again = tagger.fit(SUPPORT, LABELS, start=start, seed=1)
    assert first.files == again.files
    assert first.files != second.files


def test_untrained_it_answers_nothing_and_starts_nowhere_else(tagger: Tagger) -> None:
    start = tagger.fresh_adapter(0).files
    tagger.load("fresh", start)
    assert [own.spans for own in tagger.predict(["Ann", ""], LABELS, adapter="fresh")] == [(), ()]
    tagger.unload("fresh")
    with pytest.raises(AdapterError, match="No adapter called fresh"):
        tagger.predict(["Ann"], LABELS, adapter="fresh")
    fitted = tagger.fit(SUPPORT, LABELS, start=start, seed=1)
    with pytest.raises(AdapterError, match="from the encoder alone"):
        tagger.fit(SUPPORT, LABELS, start=fitted.files, seed=1)
    with pytest.raises(TrainingDataError):
        tagger.fit(SUPPORT[2:], LABELS, start=start, seed=1)
    with pytest.raises(AdapterError, match="another method"):
        tagger.load("x", {**start, "nerloop.json": b'{"method": "cllmfs"}'})
    with pytest.raises(AdapterError, match="damaged"):
        tagger.load("x", {**start, "adapter_model.safetensors": b"?"})


def test_it_is_registered_with_its_own_kind_of_base_model(
    tiny_encoder: Path, tiny_base: Path
) -> None:
    method = open_method(
        "tagger", load_base_for("tagger", tiny_encoder, str(tiny_encoder)), {"epochs": 2}
    )
    assert (method.name, method.config_json()["epochs"]) == ("tagger", 2)
    assert start_adapter(method, "none")
    with pytest.raises(AdapterError, match="No adapter ships"):
        start_adapter(method)
    with pytest.raises(BaseModelError, match="architecture llama"):
        load_base_for("tagger", tiny_base, str(tiny_base))
    with pytest.raises(TaggerConfigError, match="no_such"):
        TaggerConfig.from_json({"no_such": 1})
    with pytest.raises(TaggerConfigError):
        replace(TaggerConfig(), batch=0)


def test_an_encoder_that_was_changed_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    for file in tiny_encoder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    record = json.loads((tmp_path / "nerloop-base.json").read_text())
    (tmp_path / "nerloop-base.json").write_text(json.dumps({**record, "bytes": 3}))
    with pytest.raises(BaseModelError, match="not those that were fetched"):
        load_encoder(tmp_path, str(tmp_path))


def test_long_texts_are_cut_at_words_and_keep_their_offsets(tokenizer: Tokenizer) -> None:
    text = "Ann met Ben in Oslo and Rome " * 5
    pieces = pieces_of(tokenizer, text, 16)
    assert len(pieces) > 1
    assert max(len(piece.ids) for piece in pieces) <= 16
    words = [text[start:end] for piece in pieces for start, end in piece.words]
    assert words == text.split()
    for piece in pieces:
        assert (piece.ids[0], piece.ids[-1]) == (2, 3)
        assert len(piece.firsts) == len(piece.words)


@given(text=st.text(st.characters(), max_size=40))
def test_no_text_makes_it_fail(tokenizer: Tokenizer, text: str) -> None:
    for piece in pieces_of(tokenizer, text, 16):
        for start, end in piece.words:
            assert 0 <= start < end <= len(text)


def test_tags_and_spans_are_the_way_there_and_back() -> None:
    """PER is label 0 (tags 1 and 2), LOC label 1 (tags 3 and 4)."""
    words = [(0, 3), (4, 9), (10, 13), (14, 18)]
    spans = [Span(0, 9, "PER"), Span(10, 13, "PER"), Span(14, 18, "LOC")]
    tags = tags_of(words, spans, ("PER", "LOC"))
    assert tags == [1, 2, 1, 3]
    back = spans_of(words, tags, [1.0, 0.5, 1.0, 1.0], ("PER", "LOC"))
    assert [span.key for span in back] == [span.key for span in spans]
    assert [span.score for span in back] == [0.75, 1.0, 1.0]
    # a tag that goes on after nothing, or after another label, opens a span
    odd = spans_of(words, [2, 2, 4, 0], [1.0] * 4, ("PER", "LOC"))
    assert [span.key for span in odd] == [(0, 9, "PER"), (10, 13, "LOC")]
    assert tags_of(words, [Span(0, 9, "PER"), Span(4, 13, "LOC")], ("PER", "LOC")) == [1, 2, 0, 0]


def test_the_rate_rises_and_falls_linearly() -> None:
    """10 steps, warm-up 2: 1/2, 2/2, then 8/8, 7/8, ... 1/8 of the peak."""
    share = rate_shares(10, 0.2)
    assert [share(done) for done in range(10)] == [0.5, 1.0, *[(8 - n) / 8 for n in range(8)]]
