from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from model.base.encoder import load_encoder
from model.baselines.fewshot import FewShotBaseline
from model.baselines.kept_source import kept_source, source_folder
from model.baselines.recipes import RECIPES, open_baseline
from model.baselines.settings import BaselineConfigError
from model.encoding.files import SUPPORT_FILE, WEIGHTS_FILE
from model.errors import AdapterError, TrainingDataError
from model.methods import load_base_for, open_method, start_adapter
from model.spans import AnnotatedText, Label, LabelSet, Span
from tiny_encoder import write_tiny_encoder

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))
SOURCE = LabelSet((Label("animal"), Label("tool"), Label("unused")))
SUPPORT = [
    AnnotatedText(
        "Ann met Ben in Oslo.", (Span(0, 3, "PER"), Span(8, 11, "PER"), Span(15, 19, "LOC"))
    ),
    AnnotatedText("Eva sang in Bonn.", (Span(0, 3, "PER"), Span(12, 16, "LOC"))),
    AnnotatedText("The old bridge sang."),
]
CORPUS = [
    AnnotatedText(f"the {tool} and the {animal} {verb}", spans)
    for tool, animal in (("saw", "cow"), ("bar", "dog"), ("rod", "ant"), ("nut", "bee"))
    for verb, spans in (
        ("sang", (Span(4, 7, "tool"), Span(16, 19, "animal"))),
        ("met", (Span(4, 7, "tool"), Span(16, 19, "animal"))),
    )
]
FAST: dict[str, Any] = {"source_steps": 3, "source_batch": 4, "window": 32, "threads": 1}
EPISODES = {"ways": 2, "shots": 1, "queries": 1}
QUICK: dict[str, dict[str, Any]] = {
    "protobert": {**FAST, **EPISODES},
    "nnshot": FAST,
    "structshot": FAST,
    "container": {**FAST, "size": 8, "max_steps": 3},
    "proml": {**FAST, **EPISODES, "size": 8, "max_steps": 3},
    "tadner": {**FAST, "max_steps": 3},
    "label_semantics": {**FAST, "epochs": 3},
}


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def opened(name: str, folder: Path, **config: object) -> FewShotBaseline:
    return open_baseline(name, load_encoder(folder, str(folder)), {**QUICK[name], **config})


@pytest.mark.parametrize("name", RECIPES)
def test_both_stages_give_the_same_bytes_again_and_the_files_carry_everything(
    name: str, tiny_encoder: Path
) -> None:
    method, other = opened(name, tiny_encoder), opened(name, tiny_encoder)
    steps: list[int] = []
    source = method.fit_source(CORPUS, SOURCE, seed=1, on_step=lambda p: steps.append(p.step))
    assert steps[-3:] == [1, 2, 3]
    assert "unused" not in source.files["adapter_config.json"].decode()
    fitted = method.fit(SUPPORT, LABELS, start=source.files, seed=1)
    again = other.fit_source(CORPUS, SOURCE, seed=1)
    assert again.files == source.files
    assert other.fit(SUPPORT, LABELS, start=again.files, seed=1).files == fitted.files
    bare = method.fit(SUPPORT, LABELS, start=method.fresh_adapter(0).files, seed=1)
    assert bare.files[WEIGHTS_FILE] != fitted.files[WEIGHTS_FILE]
    # nothing of a text lies in what is kept of the support set
    assert b"Oslo" not in fitted.files[SUPPORT_FILE]

    texts = [item.text for item in SUPPORT] + ["", " \n", "\ud800", "😀 Ann", "在奥斯陆"]
    other.load("a", fitted.files)
    other.load("b", bare.files)
    first = other.predict(texts, LABELS, adapter="a")
    other.predict(texts, LABELS, adapter="b")
    # one by one and in the company of other adapters, the answers are the same
    for text, found in zip(texts, first, strict=True):
        alone = other.predict([text], LABELS, adapter="a")[0]
        assert [span.key for span in alone.spans] == [span.key for span in found.spans]
        assert alone.score == pytest.approx(found.score, abs=1e-4)
        for span in found.spans:
            assert text[span.start : span.end].strip() == text[span.start : span.end]
            assert 0 <= span.score <= 1 + 1e-6
    assert [(found.spans, found.score) for found in first[3:5]] == [((), 1.0)] * 2
    only = LabelSet((Label("LOC"),))
    for found in other.predict(texts, only, adapter="a"):
        assert {span.label for span in found.spans} <= {"LOC"}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("nnshot", {}),
        ("container", {"max_steps": 20, "rate": 1e-2}),
        ("tadner", {"max_steps": 60, "patience": 60, "rate": 5e-3, "enough": 0.01}),
    ],
)
def test_a_support_set_is_learned(name: str, config: dict[str, Any], tiny_encoder: Path) -> None:
    method = opened(name, tiny_encoder, **config)
    fitted = method.fit(SUPPORT, LABELS, start=method.fresh_adapter(0).files, seed=1)
    method.load("a", fitted.files)
    found = method.predict([item.text for item in SUPPORT], LABELS, adapter="a")
    assert [{span.key for span in own.spans} for own in found] == [
        {span.key for span in item.spans} for item in SUPPORT
    ]


def test_transitions_of_the_source_decide_over_near_words(tiny_encoder: Path) -> None:
    method = opened("structshot", tiny_encoder, power=1.0)
    source = method.fit_source(CORPUS, SOURCE, seed=1)
    fitted = method.fit(SUPPORT, LABELS, start=source.files, seed=1)
    memory = load(fitted.files[SUPPORT_FILE])
    # every text begins with O, and half of the words after an O begin a span of one word
    expected = [1.0, 0.0, 1 / 3, 2 / 3, 1.0, 0.0, 0.0]
    assert memory["transitions"].tolist() == pytest.approx(expected)
    gold = [{span.key for span in item.spans} for item in SUPPORT]
    third = [1 / 3, 2 / 3]
    # over both types: nothing but O may follow, or all tags are equally probable
    for shares, wanted in (
        ([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0], [set(), set(), set()]),
        ([*third, *third, 1 / 3, 1 / 3, 1 / 3], gold),
    ):
        memory["transitions"] = torch.tensor(shares)
        method.load("a", {**fitted.files, SUPPORT_FILE: save(memory)})
        found = method.predict([item.text for item in SUPPORT], LABELS, adapter="a")
        assert [{span.key for span in own.spans} for own in found] == wanted
        method.unload("a")


@pytest.mark.parametrize("name", RECIPES)
def test_a_source_stage_lowers_its_loss(name: str, tiny_encoder: Path) -> None:
    rates = {"source_rate": 5e-3, "head_rate": 1e-2, "source_steps": 40}
    losses: list[float] = []
    method = opened(name, tiny_encoder, **rates)
    method.fit_source(CORPUS, SOURCE, seed=1, on_step=lambda p: losses.append(p.loss))
    # where there are two stages this is the second; the lowest loss of some is far above 0
    losses = losses[-40:]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_only_names_that_are_enough_answer_without_a_support_set(tiny_encoder: Path) -> None:
    for name in ("nnshot", "label_semantics"):
        method = opened(name, tiny_encoder, source_steps=40, source_rate=5e-3)
        method.load("source", method.fit_source(CORPUS, SOURCE, seed=1).files)
        found = method.predict([item.text for item in CORPUS], SOURCE, adapter="source")
        exact = [
            {span.key for span in own.spans} == {span.key for span in item.spans}
            for own, item in zip(found, CORPUS, strict=True)
        ]
        assert all(exact) == (name == "label_semantics")


@pytest.mark.parametrize("name", RECIPES)
def test_what_cannot_be_learned_or_read_is_refused(name: str, tiny_encoder: Path) -> None:
    method = opened(name, tiny_encoder)
    start = method.fresh_adapter(0).files
    with pytest.raises(TrainingDataError):
        method.fit(SUPPORT[2:], LABELS, start=start, seed=1)
    with pytest.raises(TrainingDataError):
        method.fit_source(SUPPORT, SOURCE, seed=1)
    with pytest.raises(AdapterError, match="another method"):
        method.load("x", {**start, "nerloop.json": b'{"method": "cllmfs"}'})
    with pytest.raises(AdapterError, match="damaged"):
        method.load("x", {**start, "adapter_config.json": b'{"labels": [{"no": 1}]}'})
    fitted = method.fit(SUPPORT, LABELS, start=start, seed=1)
    with pytest.raises(AdapterError, match="has labels already"):
        method.fit(SUPPORT, LABELS, start=fitted.files, seed=1)
    with pytest.raises(AdapterError, match="No adapter called"):
        method.predict([""], LABELS, adapter="x")
    method.load("x", fitted.files)
    method.unload("x")
    method.unload("x")
    with pytest.raises(AdapterError, match="No adapter called"):
        method.predict([""], LABELS, adapter="x")


def test_an_adapter_of_other_sizes_is_refused(tiny_encoder: Path) -> None:
    source = opened("container", tiny_encoder).fit_source(CORPUS, SOURCE, seed=1)
    with pytest.raises(AdapterError, match="does not fit"):
        opened("container", tiny_encoder, size=4).fit(SUPPORT, LABELS, start=source.files, seed=1)


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_registered_with_an_encoder_as_its_base(name: str, tiny_encoder: Path) -> None:
    base = load_base_for(name, tiny_encoder, str(tiny_encoder))
    method = open_method(name, base, {"source_steps": 7})
    assert (method.name, method.config_json()["source_steps"]) == (name, 7)
    assert start_adapter(method, "none")
    with pytest.raises(AdapterError, match="No adapter ships"):
        start_adapter(method)
    config = RECIPES[name].config
    assert config.from_json(config().to_json()) == config()
    for wrong in ({"no_such": 1}, {"source_rate": 0.0}, {"window": 3}, {"threads": 0}):
        with pytest.raises(BaselineConfigError):
            config.from_json(wrong)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("protobert", {"dropout": 1.0}),
        ("protobert", {"ways": 0}),
        ("structshot", {"power": 0.0}),
        ("container", {"max_steps": 0}),
        ("proml", {"prefix_share": 1.5}),
        ("tadner", {"temperature": 0.0}),
        ("label_semantics", {"epochs": 0}),
    ],
)
def test_settings_of_one_baseline_have_their_range(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(BaselineConfigError):
        RECIPES[name].config.from_json(wrong)


def test_a_source_stage_is_trained_once(tiny_encoder: Path, tmp_path: Path) -> None:
    steps: list[int] = []

    def kept(seed: int, **config: object) -> object:
        method = opened("container", tiny_encoder, **config)
        return kept_source(
            tmp_path / "kept", method, CORPUS, SOURCE, seed=seed, on_step=lambda p: steps.append(1)
        )

    first = kept(1)
    assert len(steps) == 3
    # settings of the target stage do not count
    assert kept(1, rate=1e-3, threads=None) == first
    assert len(steps) == 3
    assert kept(2) != first
    assert kept(1, source_steps=2) != first
    assert len(steps) == 8
    method = opened("container", tiny_encoder)
    folder = source_folder(tmp_path / "kept", method, CORPUS, SOURCE, 1)
    assert start_adapter(method, str(folder)) == first
    assert len(list((tmp_path / "kept").iterdir())) == 3
