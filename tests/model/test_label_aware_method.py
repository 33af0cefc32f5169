from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from label_aware_support import LABELS, QUICK, SUPPORT
from model.base.encoder import load_encoder
from model.errors import AdapterError, LabelSetError, TrainingDataError
from model.label_aware.config import FAITHFUL, LabelAwareConfig, LabelAwareConfigError
from model.label_aware.inference import Memory, decided, label_odds, mixed_odds, nearest_odds
from model.label_aware.method import LabelAware
from model.label_aware.network import range_means, read
from model.label_aware.suffix import InputWriter
from model.label_aware.training import objective_for, taught
from model.methods import load_base_for, open_method, start_adapter
from model.spans import AnnotatedText, Label, LabelSet, Prediction, Span
from tiny_encoder import write_tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def made(folder: Path, config: LabelAwareConfig = QUICK) -> LabelAware:
    return LabelAware(load_encoder(folder, str(folder)), config)


def writer(folder: Path, config: LabelAwareConfig = QUICK, limit: int = 64) -> InputWriter:
    return InputWriter(load_encoder(folder, str(folder)).tokenizer, config, limit)


def keys(found: AnnotatedText | Prediction) -> set[tuple[int, int, str]]:
    return {span.key for span in found.spans}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"inference": "nearest"},
        {"inference": "both", "context_weight": 0.5},
        {"suffix": False},
        {"label_state": "cls"},
        {"distance": "cosine", "temperature": 0.05},
        {"distance": "euclidean", "temperature": 0.1},
        {"group": 1},
        {"tuning": "full", "rate": 3e-3},
        {"precision": "bfloat16"},
    ],
    ids=lambda changed: "-".join(changed) or "default",
)
def test_a_fit_learns_its_support_and_the_files_alone_carry_it(
    folder: Path, changed: dict[str, object]
) -> None:
    config = LabelAwareConfig.from_json({**QUICK.to_json(), **changed})
    method = made(folder, config)
    steps: list[int] = []
    fitted = method.fit(
        SUPPORT,
        LABELS,
        start=method.fresh_adapter(0).files,
        seed=1,
        on_step=lambda progress: steps.append(progress.step),
    )
    assert steps == list(range(1, 61))
    other = made(folder, config)
    other.load("a", fitted.files)
    found = other.predict([item.text for item in SUPPORT], LABELS, adapter="a")
    assert [keys(own) for own in found] == [keys(item) for item in SUPPORT]
    assert ("support.safetensors" in fitted.files) == (config.inference != "label")


def test_the_same_seed_gives_the_same_bytes_whatever_was_trained_before(folder: Path) -> None:
    method = made(folder, replace(QUICK, min_steps=5, inference="both"))
    start = method.fresh_adapter(0).files
    first = method.fit(SUPPORT, LABELS, start=start, seed=1)
    method.fit(SUPPORT[:1], LABELS, start=start, seed=2)
    torch.rand(3)
    again = method.fit(SUPPORT, LABELS, start=start, seed=1)
    assert first.files == again.files
    assert first.files != method.fit(SUPPORT, LABELS, start=start, seed=2).files


def test_every_text_is_answered_and_adapters_come_and_go(folder: Path) -> None:
    method = made(folder)
    method.load("fresh", method.fresh_adapter(0).files)
    texts = ["", "   ", "😀 Ann 東京", "Ann met Ben " * 60, "\ud800"]
    found = method.predict(texts, LABELS, adapter="fresh")
    assert len(found) == len(texts)
    assert (found[0].spans, found[0].score) == ((), 1.0)
    for text, own in zip(texts, found, strict=True):
        assert 0 <= own.score <= 1
        assert all(span.end <= len(text) and 0 <= span.score <= 1 for span in own.spans)
    method.unload("fresh")
    with pytest.raises(AdapterError, match="No adapter called fresh"):
        method.predict(["Ann"], LABELS, adapter="fresh")


def test_what_cannot_be_learned_or_read_is_refused(folder: Path) -> None:
    method = made(folder)
    start = method.fresh_adapter(0).files
    with pytest.raises(TrainingDataError):
        method.fit(SUPPORT[2:], LABELS, start=start, seed=1)
    for broken in ({"heads.safetensors": b"?"}, {"nerloop.json": b'{"method": "tagger"}'}):
        with pytest.raises(AdapterError):
            method.load("x", {**start, **broken})
    without = {name: content for name, content in start.items() if not name.startswith("heads")}
    with pytest.raises(AdapterError, match="heads or support"):
        method.load("x", without)
    method.load("y", start)
    with pytest.raises(LabelSetError, match="too long"):
        method.predict(["Ann"], LabelSet((Label("X", "ann " * 70),)), adapter="y")


def test_it_is_registered_and_its_variants_are_named(folder: Path) -> None:
    method = open_method(
        "label_aware", load_base_for("label_aware", folder, str(folder)), {"variant": "faithful"}
    )
    assert method.config_json() == LabelAwareConfig.from_json(dict(FAITHFUL)).to_json()
    assert set(start_adapter(method, "none")) >= {"heads.safetensors"}
    with pytest.raises(AdapterError, match="No adapter ships"):
        start_adapter(method)
    for wrong in ({"no_such": 1}, {"variant": "x"}, {"rank": 99}, {"context_weight": 2.0}):
        with pytest.raises(LabelAwareConfigError):
            LabelAwareConfig.from_json(dict(wrong))


def test_few_mentions_take_the_other_objective() -> None:
    """SUPPORT has 5 mentions of 2 labels: 2.5 on average."""
    config = replace(QUICK, few_mentions=2.6, few_weight=0.0, context_weight=0.3)
    few = objective_for(SUPPORT, LABELS, config)
    assert (few.distance, few.context_weight) == ("euclidean", 0.0)
    enough = objective_for(SUPPORT, LABELS, replace(config, few_mentions=2.5))
    assert (enough.distance, enough.context_weight) == ("kl", 0.3)


def test_labels_stand_behind_the_text_and_never_count_as_words(folder: Path) -> None:
    """``[CLS] text [SEP] [CLS] none [SEP] [CLS] ann [SEP] [CLS] oslo: old bridge [SEP]``."""
    own = writer(folder)
    piece = own.pieces("Ann met Ben", [LABELS.labels])[0]
    row = own.row(piece, LABELS.labels)
    assert row.ids[: len(piece.ids)] == piece.ids
    assert [row.ids[first - 1] for first, _ in row.places] == [2, 2, 2]
    assert [row.ids[last] for _, last in row.places] == [3, 3, 3]
    assert row.places[0][0] == len(piece.ids) + 1
    starts = writer(folder, replace(QUICK, label_state="cls")).row(piece, LABELS.labels).places
    assert [row.ids[first:last] for first, last in starts] == [(2,), (2,), (2,)]
    assert row.ids == (*piece.ids, *(id_ for own in row.labels for id_ in own))
    assert max(piece.firsts) < len(piece.ids)
    swapped = own.row(piece, LABELS.labels, [0, 2, 1])
    assert swapped.ids == piece.ids + row.labels[0] + row.labels[2] + row.labels[1]
    assert swapped.places[2][0] == row.places[1][0]
    assert swapped.places[1] > swapped.places[2]
    short = writer(folder, replace(QUICK, descriptions=False)).row(piece, LABELS.labels)
    assert len(short.ids) < len(row.ids)


def test_the_mean_state_of_a_range_of_tokens() -> None:
    """States 0, 2, 4 and 1, 3, 5: means of [0, 2) and [1, 3) are 1 and 3; of [2, 3) it is 5."""
    states = torch.tensor([[[0.0], [2.0], [4.0]], [[1.0], [3.0], [5.0]]])
    means = range_means(states, [[(0, 2), (1, 3)], [(2, 3)]])
    assert means[:, 0].tolist() == [1.0, 3.0, 5.0]


def test_the_words_alone_enter_the_context_term(folder: Path) -> None:
    own = writer(folder)
    pieces = taught(SUPPORT[0], [LABELS.labels], own)
    base = load_encoder(folder, str(folder))
    rows = [own.row(piece.piece, piece.labels) for piece in pieces]
    reading = read(base.model, rows, 0, QUICK)
    assert len(reading.words) == len(pieces[0].tags) == len(pieces[0].piece.words)
    assert len(reading.labels) == 1 + len(LABELS)


def test_labels_in_groups_where_positions_are_few(folder: Path) -> None:
    many = tuple(Label(f"L{n}", "ann ben") for n in range(12))
    own = writer(folder, limit=48)
    groups = own.groups(many)
    assert [label for group in groups for label in group] == list(many)
    assert len(groups) > 1
    for group in groups:
        for piece in own.pieces("Ann met Ben in Oslo and Rome " * 4, groups):
            assert len(own.row(piece, group).ids) <= 48
    assert [len(group) for group in writer(folder, replace(QUICK, group=5)).groups(many[:7])] == [
        5,
        2,
    ] or len(groups) > 2


def test_gold_of_overlapping_spans(folder: Path) -> None:
    """Words w0 w1: A covers both, B the second: gold rows none/A/B are 010 and 011."""
    item = AnnotatedText("Ann Ben", (Span(0, 7, "A"), Span(4, 7, "B")))
    piece = taught(item, [(Label("A"), Label("B"))], writer(folder))[0]
    assert piece.gold.int().tolist() == [[0, 1, 0], [0, 1, 1]]
    assert piece.tags.tolist() == [1, 1]


def test_nested_spans_are_decided_label_by_label() -> None:
    """Log-odds of A: +2 +2, of B: -2 +1. Flat: the second word is A's too, for 2 > 1."""
    words, odds = [(0, 3), (4, 7)], torch.tensor([[2.0, -2.0], [2.0, 1.0]])
    nested, score = decided(words, odds, ["A", "B"], nested=True)
    assert sorted(span.key for span in nested) == [(0, 7, "A"), (4, 7, "B")]
    assert score == pytest.approx(1 / (1 + 2.718282**-1), abs=1e-5)
    flat, _ = decided(words, odds, ["A", "B"])
    assert [span.key for span in flat] == [(0, 7, "A")]
    assert decided(words, odds, ["A", "B"], least=3.0)[0] == []


def test_the_nearest_support_token_decides() -> None:
    """Support: label 1 at (1, 0), outside at (0, 1), label 2 at (-1, 0); the word is (2, 0).

    Squared distances of (1, 0): 0 to label 1, 2 outside, 4 to label 2. Log-odds at temperature
    0.5: (2 - 0) / 0.5 = 4 and (2 - 4) / 0.5 = -4; a label that is not there: (2 - 4) / 0.5.
    """
    memory = Memory(
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]),
        torch.tensor([1, 0, 2]),
        torch.zeros(3, dtype=torch.long),
    )
    odds = nearest_odds(torch.tensor([[2.0, 0.0]]), memory, [1, 2], 0.5)
    torch.testing.assert_close(odds, torch.tensor([[4.0, -4.0]]))
    label = label_odds(torch.tensor([[1.0, 3.0, 0.0]]))
    torch.testing.assert_close(label, torch.tensor([[2.0, -1.0]]))
    torch.testing.assert_close(mixed_odds(label, odds, 0.25), torch.tensor([[2.5, -1.75]]))


def test_nested_spans_are_learned(folder: Path) -> None:
    text = "Ann met Ben in Oslo."
    item = AnnotatedText(text, (Span(0, 11, "PER"), Span(8, 11, "LOC"), Span(15, 19, "LOC")))
    method = made(folder, replace(QUICK, nested=True, min_steps=250))
    fitted = method.fit([item], LABELS, start=method.fresh_adapter(0).files, seed=1)
    method.load("a", fitted.files)
    assert keys(method.predict([text], LABELS, adapter="a")[0]) == keys(item)


@pytest.mark.parametrize("kind", ["deberta-v2", "xlm-roberta"])
def test_other_encoders_are_trained_and_read(tmp_path: Path, kind: str) -> None:
    other = write_tiny_encoder(tmp_path / "tiny", kind=kind)
    method = made(other, replace(QUICK, min_steps=3))
    fitted = method.fit(SUPPORT, LABELS, start=method.fresh_adapter(0).files, seed=1)
    method.load("a", fitted.files)
    long = "Ann met Ben " * 40
    for own in method.predict([long], LABELS, adapter="a")[0].spans:
        assert 0 <= own.start < own.end <= len(long)


def test_a_memory_keeps_mentions_when_it_is_full() -> None:
    vectors = F.normalize(torch.arange(10.0)[:, None] + torch.ones(10, 2), dim=-1)
    labels = torch.tensor([0, 0, 0, 1, 0, 0, 2, 0, 0, 0])
    kept = Memory(vectors, labels, torch.zeros(10, dtype=torch.long)).shortened(4)
    assert len(kept.labels) == 4
    assert {1, 2} <= set(kept.labels.tolist())
    read_back = Memory.from_tensors(kept.tensors())
    torch.testing.assert_close(read_back.vectors, kept.vectors, atol=1e-3, rtol=1e-3)
