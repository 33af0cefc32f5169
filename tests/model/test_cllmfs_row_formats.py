"""One text asked in one pack, in groups, in single rows: the same losses and the same answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig, ContrastLoss, Decoding, LossOn
from model.cllmfs.method import Cllmfs
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet, Prediction, Span

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place", "towns"), Label("X", "thing")))
SUPPORT = [
    AnnotatedText(
        "we met Anna Smith and Ben in Paris today",
        (Span(7, 17, "PER"), Span(22, 25, "PER"), Span(29, 34, "LOC")),
    ),
    AnnotatedText("the old bridge in Oslo was closed", (Span(18, 22, "LOC"),)),
    AnnotatedText("there is nobody here"),
]
ONE_STEP = CllmfsConfig(
    rank=4, max_steps=1, min_steps=1, batch=1000, dropout=0.0, noise_scale=0.0, absent_weight=0.5
)
QUICK = replace(ONE_STEP, rate=1e-2, pull=0.0)
PUBLISHED = replace(QUICK, max_steps=120, min_steps=120, row_format="instruction_first")
TEXTS = [item.text for item in SUPPORT]


def method_of(folder: Path, config: CllmfsConfig) -> Cllmfs:
    return Cllmfs(load_base(folder, str(folder)), config)


def random_adapter(method: Cllmfs) -> AdapterFiles:
    """An adapter that changes the answers of the base model."""
    return method.fit(SUPPORT, LABELS, start=method.fresh_adapter(1).files, seed=1).files


def predictions_of(
    folder: Path, config: CllmfsConfig, files: AdapterFiles, labels: LabelSet = LABELS
) -> list[Prediction]:
    method = method_of(folder, config)
    method.load("a", files)
    return method.predict(TEXTS, labels, adapter="a")


@pytest.mark.parametrize("loss_on", ["answer", "row"])
@pytest.mark.parametrize("contrast", ["info_nce", "pairwise"])
def test_packed_grouped_and_single_rows_have_the_same_losses(
    tiny_base: Path, tiny_adapter: AdapterFiles, loss_on: LossOn, contrast: ContrastLoss
) -> None:
    """One step over all rows: its losses are those of the untouched adapter."""
    config = replace(ONE_STEP, loss_on=loss_on, contrast=contrast)
    reports = []
    for change in (config, replace(config, group=2), replace(config, packed=False)):
        fitted = method_of(tiny_base, change).fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
        reports.append(fitted.report)
    for name in ("answer_loss", "contrast_loss"):
        first = reports[0][name]
        assert first > 0
        assert [report[name] for report in reports] == pytest.approx([first] * 3, rel=1e-4)


def test_the_whole_row_is_another_loss_than_the_answer(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    losses = [
        method_of(tiny_base, replace(ONE_STEP, loss_on=loss_on))
        .fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
        .report["answer_loss"]
        for loss_on in ("answer", "row")
    ]
    assert abs(losses[0] - losses[1]) > 0.01


def test_the_pairwise_loss_knows_no_temperature(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    losses = {
        (contrast, temperature): method_of(
            tiny_base, replace(ONE_STEP, contrast=contrast, temperature=temperature)
        )
        .fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
        .report["contrast_loss"]
        for contrast in ("info_nce", "pairwise")
        for temperature in (0.1, 1.0)
    }
    assert losses["pairwise", 0.1] == losses["pairwise", 1.0]
    assert losses["info_nce", 0.1] != losses["info_nce", 1.0]


def test_66_labels_in_groups_of_16_and_in_one_pack_have_the_same_answers(tiny_base: Path) -> None:
    labels = LabelSet((*LABELS.labels, *(Label(f"T{n}", f"type {n}") for n in range(63))))
    config = replace(QUICK, max_steps=8, min_steps=8, overlaps=True)
    files = random_adapter(method_of(tiny_base, config))
    grouped, whole = (
        predictions_of(tiny_base, replace(config, group=group), files, labels) for group in (16, 66)
    )
    assert sum(len(prediction.spans) for prediction in whole) > 10
    assert len({span.label for prediction in whole for span in prediction.spans}) > 10
    for one, other in zip(grouped, whole, strict=True):
        assert [span.key for span in one.spans] == [span.key for span in other.spans]
        assert [span.score for span in one.spans] == pytest.approx(
            [span.score for span in other.spans], rel=1e-3
        )
        assert one.score == pytest.approx(other.score, rel=1e-3)


@pytest.mark.parametrize("change", [{"packed": False}, {"group": 1}])
def test_how_questions_are_laid_out_changes_no_answer(
    tiny_base: Path, change: dict[str, int | bool]
) -> None:
    config = replace(QUICK, max_steps=8, min_steps=8)
    files = random_adapter(method_of(tiny_base, config))
    settings = {**config.to_json(), **change}
    one = predictions_of(tiny_base, CllmfsConfig.from_json(settings), files)
    other = predictions_of(tiny_base, config, files)
    assert [[s.key for s in p.spans] for p in one] == [[s.key for s in p.spans] for p in other]


@pytest.fixture(scope="module")
def published(tiny_base: Path) -> AdapterFiles:
    """An adapter that has learned one text in rows with the instruction first."""
    method = method_of(tiny_base, PUBLISHED)
    start = method.fresh_adapter(1).files
    return method.fit(SUPPORT[:1], LABELS, start=start, seed=1).files


@pytest.mark.parametrize("decoding", ["automaton", "bag", "free"])
def test_the_published_row_format_learns_its_support(
    tiny_base: Path, published: AdapterFiles, decoding: Decoding
) -> None:
    method = method_of(tiny_base, replace(PUBLISHED, decoding=decoding))
    method.load("a", published)
    (prediction,) = method.predict(TEXTS[:1], LABELS, adapter="a")
    assert {span.key for span in prediction.spans} == {span.key for span in SUPPORT[0].spans}


def test_nested_spans_are_learned_and_found_where_words_are_reused(tiny_base: Path) -> None:
    item = AnnotatedText(
        "the University of Oslo in Paris",
        (Span(4, 22, "LOC"), Span(18, 22, "LOC"), Span(26, 31, "LOC")),
    )
    found = []
    for reuse in (True, False):
        config = replace(QUICK, max_steps=60, min_steps=60, reuse_words=reuse)
        method = method_of(tiny_base, config)
        fitted = method.fit([item], LABELS, start=method.fresh_adapter(1).files, seed=1)
        method.load("a", fitted.files)
        (prediction,) = method.predict([item.text], LABELS, adapter="a")
        found.append([span.key[:2] for span in prediction.spans])
    assert found == [[(4, 22), (18, 22), (26, 31)], [(4, 22), (26, 31)]]


def test_half_of_the_absent_questions_are_drawn_from_the_seed(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    method = method_of(tiny_base, replace(ONE_STEP, absent_share=0.5))
    losses = {
        seed: method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=seed).report["answer_loss"]
        for seed in range(4)
    }
    again = method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=2).report["answer_loss"]
    assert again == losses[2]
    assert len({round(loss, 4) for loss in losses.values()}) > 1
    assert torch.isfinite(torch.tensor(list(losses.values()))).all()
