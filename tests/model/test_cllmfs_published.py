from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.cllmfs.prompt import PromptEncoder
from model.cllmfs.published import PublishedWay, with_adapter
from model.cllmfs.string_matching import answer_limit, bag_of
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet, Span

# peft reads an attribute that transformers is about to rename
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
SUPPORT = [
    AnnotatedText("Anna met Ben in Paris.", (Span(0, 4, "PER"), Span(9, 12, "PER"))),
    AnnotatedText("There is nobody here.", ()),
]


class Scripted:
    """Stands for a network: answers each prompt in turn with ready tokens."""

    device = torch.device("cpu")

    def __init__(self, answers: list[tuple[tuple[int, ...], float]]) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def generate(self, **options: Any) -> Any:
        self.calls.append(options)
        tokens, score = self.answers.pop(0)
        sequences = torch.cat([options["input_ids"], torch.tensor([tokens])], dim=1)
        return SimpleNamespace(sequences=sequences, sequences_scores=torch.tensor([score]))


@pytest.fixture
def encoder(tiny_base: Path) -> PromptEncoder:
    return PromptEncoder(load_base(tiny_base, str(tiny_base)).tokenizer)


def said(encoder: PromptEncoder, *mentions: str) -> tuple[int, ...]:
    inner = [(*encoder.open, *encoder.encode(f" {m}"), *encoder.close) for m in mentions]
    return (*(token for part in inner for token in part), *encoder.end)


def test_one_prompt_per_label_is_answered_by_beams_over_the_bag(encoder: PromptEncoder) -> None:
    text = "Anna met Ben."
    nothing = (*encoder.none, *encoder.end)
    network = Scripted([(said(encoder, "Anna", "Ben"), -0.5), (nothing, -0.1)])
    way = PublishedWay(network, encoder, CllmfsConfig())
    found = way.predict(text, LABELS)
    assert [span.key for span in found] == [(0, 4, "PER"), (9, 12, "PER")]
    # e ** -0.5
    assert [round(span.score, 4) for span in found] == [0.6065, 0.6065]
    (window,) = encoder.windows(text, limit=320)
    bag = list(bag_of(window, encoder))
    for call, label in zip(network.calls, LABELS.labels, strict=True):
        question = encoder.question(label, descriptions=True)
        assert call["input_ids"].tolist() == [[*window.ids, *question.ids]]
        assert (call["num_beams"], call["do_sample"]) == (4, False)
        assert call["max_new_tokens"] == answer_limit(window)
        assert call["prefix_allowed_tokens_fn"](0, torch.tensor([1])) == bag


def test_of_overlapping_answers_the_likelier_one_is_kept(encoder: PromptEncoder) -> None:
    answers = [(said(encoder, "Anna"), -0.9), (said(encoder, "Anna met"), -0.2)]
    way = PublishedWay(Scripted(answers), encoder, CllmfsConfig())
    assert [span.key for span in way.predict("Anna met Ben.", LABELS)] == [(0, 8, "LOC")]
    both = PublishedWay(Scripted(answers), encoder, CllmfsConfig(overlaps=True))
    assert len(both.predict("Anna met Ben.", LABELS)) == 2


def test_what_follows_the_end_of_an_answer_is_not_read(encoder: PromptEncoder) -> None:
    tokens = (*said(encoder, "Ben"), *said(encoder, "Anna"))
    way = PublishedWay(Scripted([(tokens, -0.1), (tokens, -0.2)]), encoder, CllmfsConfig())
    assert [span.key for span in way.predict("Anna met Ben.", LABELS)] == [(9, 12, "PER")]


@pytest.fixture(scope="module")
def trained(tiny_base: Path) -> tuple[CllmfsConfig, AdapterFiles]:
    """An adapter that has learned its two texts."""
    config = replace(
        CllmfsConfig(),
        rank=8,
        alpha=16,
        rate=1e-2,
        max_steps=80,
        min_steps=80,
        pull=0.0,
        dropout=0.0,
        decoding="bag",
    )
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    start = method.fresh_adapter(seed=0).files
    return config, method.fit(SUPPORT, LABELS, start=start, seed=1).files


@pytest.mark.parametrize("lean", [False, True])
def test_a_single_beam_answers_as_the_bag_decoding_of_our_own_path(
    tiny_base: Path, trained: tuple[CllmfsConfig, AdapterFiles], lean: bool
) -> None:
    config, files = trained
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    method.load("own", files)
    texts = [item.text for item in SUPPORT]
    own = method.predict(texts, LABELS, adapter="own")
    network = with_adapter(load_base(tiny_base, str(tiny_base)), files, lean=lean)
    for beams in (1, 4):
        way = PublishedWay(network, method.encoder, config, beams=beams)
        found = [[span.key for span in way.predict(text, LABELS)] for text in texts]
        assert found == [[span.key for span in prediction.spans] for prediction in own]
    assert any(found)


def test_lean_and_plain_networks_give_the_same_logits(
    tiny_base: Path, trained: tuple[CllmfsConfig, AdapterFiles]
) -> None:
    ids = torch.tensor([[5, 6, 7, 8]])
    made = []
    for lean in (False, True):
        network = with_adapter(load_base(tiny_base, str(tiny_base)), trained[1], lean=lean)
        with torch.inference_mode():
            made.append(network(ids).logits)
    torch.testing.assert_close(made[0], made[1], rtol=1e-4, atol=1e-4)
    plain = load_base(tiny_base, str(tiny_base)).model
    with torch.inference_mode():
        assert (plain(ids).logits - made[0]).abs().max() > 0.1
