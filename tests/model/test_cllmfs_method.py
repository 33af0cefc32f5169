from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.base.load import load_base
from model.cllmfs import lora, objective
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.errors import AdapterError, DivergedError, TrainingDataError
from model.method import AdapterFiles, Progress
from model.spans import AnnotatedText, Label, LabelSet, Span

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place", "towns and countries")))
SUPPORT = [
    AnnotatedText(
        "Anna Smith met Ben in Paris.",
        (Span(0, 10, "PER"), Span(15, 18, "PER"), Span(22, 27, "LOC")),
    ),
    AnnotatedText("The old bridge in Oslo was closed.", (Span(18, 22, "LOC"),)),
    AnnotatedText("There is nobody here.", ()),
]


def test_a_neutral_adapter_changes_no_logit(tiny_base: Path, tiny_adapter: AdapterFiles) -> None:
    base = load_base(tiny_base, str(tiny_base))
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        before = base.decoder(input_ids=ids).last_hidden_state
        method = Cllmfs(base)
        method.load("neutral", tiny_adapter)
        method.predict(["x"], LABELS, adapter="neutral")
        after = base.decoder(input_ids=ids).last_hidden_state
    assert torch.equal(before, after)


def test_a_fit_learns_its_support_and_leaves_the_base_alone(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    base = load_base(tiny_base, str(tiny_base))
    config = replace(
        CllmfsConfig(), rank=4, rate=1e-2, max_steps=100, min_steps=100, dropout=0.0, pull=0.0
    )
    method = Cllmfs(base, config)
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    steps: list[Progress] = []
    fitted = method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1, on_step=steps.append)
    method.load("fitted", fitted.files)
    predictions = method.predict([item.text for item in SUPPORT], LABELS, adapter="fitted")
    assert [step.step for step in steps] == list(range(1, 101))
    assert fitted.report["answer_loss"] < 1.0 < steps[0].loss
    assert fitted.report["contrast_loss"] is not None
    for item, prediction in zip(SUPPORT, predictions, strict=True):
        assert {span.key for span in prediction.spans} == {span.key for span in item.spans}
    after = base.model.state_dict()
    assert set(before) == set(after)
    for name, value in before.items():
        assert torch.equal(value, after[name])


def test_the_same_seed_gives_the_same_bytes(
    tiny_method: Cllmfs, tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    first = tiny_method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=5)
    torch.rand(3)  # somebody else uses the global generator
    again = tiny_method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=5)
    other = tiny_method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=6)
    assert first.files == again.files
    assert first.files[lora.WEIGHTS_FILE] != other.files[lora.WEIGHTS_FILE]
    assert first.config["seed"] == 5


def test_the_origin_names_method_base_and_settings_but_no_time(
    tiny_method: Cllmfs, tiny_adapter: AdapterFiles
) -> None:
    origin = json.loads(
        tiny_method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=5).files[lora.ORIGIN_FILE]
    )
    assert set(origin) == {"method", "base", "base_digest", "config", "seed"}
    assert origin["base_digest"] == tiny_method.base_digest
    assert CllmfsConfig.from_json(origin["config"]).to_json() == tiny_method.config_json()


def test_nothing_annotated_is_refused(tiny_method: Cllmfs, tiny_adapter: AdapterFiles) -> None:
    with pytest.raises(TrainingDataError):
        tiny_method.fit([AnnotatedText("Nobody.")], LABELS, start=tiny_adapter, seed=1)
    with pytest.raises(TrainingDataError):
        tiny_method.fit([], LABELS, start=tiny_adapter, seed=1)


def test_a_loss_that_is_not_finite_stops_the_run_and_the_method_lives_on(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), CllmfsConfig(max_steps=2, min_steps=1))
    with monkeypatch.context() as patch:
        patch.setattr(
            objective, "answer_cross_entropy", lambda logits, *_: logits.sum() * float("nan")
        )
        with pytest.raises(DivergedError):
            method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    assert method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1).report["steps"] == 2


def test_every_text_has_a_prediction_even_an_empty_one(
    tiny_method: Cllmfs, tiny_adapter: AdapterFiles
) -> None:
    tiny_method.load("neutral", tiny_adapter)
    predictions = tiny_method.predict(["", " \n", "Ben"], LABELS, adapter="neutral")
    assert len(predictions) == 3
    assert predictions[0].spans == predictions[1].spans == ()
    assert predictions[0].score == predictions[1].score == 1.0
    assert tiny_method.predict([], LABELS, adapter="neutral") == []


def test_more_labels_than_one_pack_holds_are_all_asked(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    config = CllmfsConfig(group=2)
    many = LabelSet(tuple(Label(f"L{number}", f"kind {number}") for number in range(5)))
    grouped = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    whole = Cllmfs(load_base(tiny_base, str(tiny_base)))
    for method in (grouped, whole):
        method.load("neutral", tiny_adapter)
    text = ["Ben went to Oslo with Anna."]
    apart = grouped.predict(text, many, adapter="neutral")[0]
    together = whole.predict(text, many, adapter="neutral")[0]
    assert [span.key for span in apart.spans] == [span.key for span in together.spans]
    assert apart.score == pytest.approx(together.score, abs=1e-4)


def test_predictions_do_not_depend_on_the_other_texts(
    tiny_method: Cllmfs, tiny_adapter: AdapterFiles
) -> None:
    fitted = tiny_method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    tiny_method.load("fitted", fitted.files)
    texts = ["Ben is in Rome.", "Anna and Ben went to Oslo by train, then home again.", "", "Rome"]
    together = tiny_method.predict(texts, LABELS, adapter="fitted")
    for text, prediction in zip(texts, together, strict=True):
        (alone,) = tiny_method.predict([text], LABELS, adapter="fitted")
        assert [span.key for span in alone.spans] == [span.key for span in prediction.spans]
        assert alone.score == pytest.approx(prediction.score, abs=1e-4)


def test_long_texts_are_read_in_windows_and_offsets_shifted_back(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    config = replace(
        CllmfsConfig(), rate=1e-2, max_steps=100, min_steps=100, dropout=0.0, pull=0.0, window=40
    )
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    fitted = method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    method.load("fitted", fitted.files)
    long = " ".join(item.text for item in SUPPORT * 3)
    (prediction,) = method.predict([long], LABELS, adapter="fitted")
    surfaces = {long[span.start : span.end] for span in prediction.spans}
    assert max(span.end for span in prediction.spans) > len(long) / 2
    assert surfaces & {"Anna Smith", "Paris", "Oslo"}


def test_adapters_come_and_go(tiny_method: Cllmfs, tiny_adapter: AdapterFiles) -> None:
    with pytest.raises(AdapterError, match=r"v1\.0"):
        tiny_method.predict(["x"], LABELS, adapter="v1.0")
    tiny_method.load("v1.0", tiny_adapter)
    tiny_method.load("v1.0", tiny_adapter)
    tiny_method.predict(["x"], LABELS, adapter="v1.0")
    tiny_method.unload("v1.0")
    tiny_method.unload("never there")
    with pytest.raises(AdapterError):
        tiny_method.predict(["x"], LABELS, adapter="v1.0")


def test_threads_with_different_adapters_do_not_mix(
    tiny_method: Cllmfs, tiny_adapter: AdapterFiles
) -> None:
    fitted = tiny_method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    tiny_method.load("a", tiny_adapter)
    tiny_method.load("b", fitted.files)
    text = [SUPPORT[0].text]
    expected = {name: tiny_method.predict(text, LABELS, adapter=name) for name in ("a", "b")}
    assert expected["a"] != expected["b"]
    wrong: list[str] = []

    def ask(name: str) -> None:
        for _ in range(5):
            if tiny_method.predict(text, LABELS, adapter=name) != expected[name]:
                wrong.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.text(
            alphabet=st.one_of(
                st.characters(),
                st.sampled_from("\r\n \u0301\u200d\ufe0f\ud800\udfff\u4e2d\U0001f468<>"),
            ),
            max_size=40,
        ),
        max_size=4,
    )
)
def test_any_text_gives_spans_inside_it(
    tiny_method: Cllmfs, tiny_adapter: AdapterFiles, texts: list[str]
) -> None:
    tiny_method.load("neutral", tiny_adapter)
    predictions = tiny_method.predict(texts, LABELS, adapter="neutral")
    assert len(predictions) == len(texts)
    for text, prediction in zip(texts, predictions, strict=True):
        assert math.isfinite(prediction.score)
        assert 0.0 <= prediction.score <= 1.0
        assert list(prediction.spans) == sorted(prediction.spans)
        for span in prediction.spans:
            surface = text[span.start : span.end]
            assert span.end <= len(text)
            assert surface
            assert surface == surface.strip()
            assert span.label in LABELS.names
            assert 0.0 <= span.score <= 1.0


def test_a_strong_pull_keeps_the_start(tiny_base: Path, tiny_adapter: AdapterFiles) -> None:
    """With rate * pull >= 1 every step ends at the start weights again."""
    config = CllmfsConfig(rate=1e-2, pull=1e6, max_steps=3, min_steps=3)
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    fitted = method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    assert fitted.files[lora.WEIGHTS_FILE] == tiny_adapter[lora.WEIGHTS_FILE]
    free = Cllmfs(load_base(tiny_base, str(tiny_base)), replace(config, pull=0.0))
    moved = free.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    assert moved.files[lora.WEIGHTS_FILE] != tiny_adapter[lora.WEIGHTS_FILE]


def test_held_out_texts_calibrate_scores_and_change_no_span(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    """One half of the held-out texts repeats the support, the other half annotates nothing."""
    config = replace(
        CllmfsConfig(), rate=1e-2, max_steps=60, min_steps=60, dropout=0.0, pull=0.0, threads=None
    )
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
    held_out = SUPPORT * 20 + [AnnotatedText(item.text) for item in SUPPORT * 20]
    plain = method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1)
    fitted = method.fit(SUPPORT, LABELS, start=tiny_adapter, seed=1, held_out=held_out)
    assert fitted.files[lora.WEIGHTS_FILE] == plain.files[lora.WEIGHTS_FILE]
    assert "calibration" not in json.loads(plain.files[lora.ORIGIN_FILE])
    assert json.loads(fitted.files[lora.ORIGIN_FILE])["calibration"]["span"]["fitted"]
    method.load("plain", plain.files)
    method.load("fitted", fitted.files)
    text = [SUPPORT[0].text]
    (before,) = method.predict(text, LABELS, adapter="plain")
    (after,) = method.predict(text, LABELS, adapter="fitted")
    assert [span.key for span in before.spans] == [span.key for span in after.spans]
    assert before.spans
    # Every span is right in one half and wrong in the other, so a score of about 1 becomes 1/2.
    for span in after.spans:
        assert span.score == pytest.approx(0.5, abs=0.15)
    damaged = {**fitted.files, lora.ORIGIN_FILE: _with_calibration(fitted.files, {"span": 3})}
    with pytest.raises(AdapterError, match="calibration"):
        method.load("damaged", damaged)


def _with_calibration(files: AdapterFiles, value: object) -> bytes:
    return json.dumps({**json.loads(files[lora.ORIGIN_FILE]), "calibration": value}).encode()
