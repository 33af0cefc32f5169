"""The engine behind ``/predict``: right version, damaged adapters, one bad text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.metrics import Metrics
from backend.serving import CHUNK, Serving
from capitals_engine import BASE_DIGEST, CapitalsEngine
from model.errors import AdapterError
from model.registry.aliases import Served
from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError
from model.spans import Label, LabelSet

LABELS = LabelSet((Label("PER"),))


def put(store: ArtifactStore, weights: bytes) -> str:
    return store.put(
        {
            "adapter_model.safetensors": weights,
            "adapter_config.json": b"{}",
            "nerloop.json": b"{}",
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def engine() -> CapitalsEngine:
    return CapitalsEngine()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def serving(store: ArtifactStore, engine: CapitalsEngine, metrics: Metrics) -> Serving:
    return Serving(lambda: engine, store, metrics)


def version(number: int, digest: str) -> Served:
    return Served(number, number, f"2.{number}", "cllmfs", digest, BASE_DIGEST, number)


def test_texts_are_answered_in_order_over_several_chunks(
    serving: Serving, store: ArtifactStore
) -> None:
    served = version(1, put(store, b"one"))
    texts = [f"Name{n} x" for n in range(2 * CHUNK + 3)]
    chosen, found = serving.predict(7, served, texts, LABELS)
    assert chosen == served
    spans = [text[p.spans[0].start : p.spans[0].end] for text, p in zip(texts, found, strict=True)]
    assert spans == [f"Name{n}" for n in range(2 * CHUNK + 3)]


def test_one_bad_text_costs_only_itself(
    serving: Serving, store: ArtifactStore, metrics: Metrics
) -> None:
    served = version(1, put(store, b"one"))
    _, found = serving.predict(7, served, ["Ada", "POISON", "Bob"], LABELS)
    assert [len(item.spans) for item in found] == [1, 0, 1]
    assert found[1].score == 0.0
    assert b"nerloop_failed_texts_total 1.0" in metrics.render_process()


def test_a_damaged_adapter_is_refused_and_the_former_one_answers_under_its_own_name(
    serving: Serving, store: ArtifactStore, tmp_path: Path, metrics: Metrics
) -> None:
    old, new = version(1, put(store, b"one")), version(2, put(store, b"two"))
    serving.predict(7, old, ["Ada"], LABELS)
    damaged = tmp_path / "artifacts" / "sha256" / new.artifact_digest[:2] / new.artifact_digest
    (damaged / "adapter_model.safetensors").write_bytes(b"twO")
    chosen, found = serving.predict(7, new, ["Ada"], LABELS)
    assert chosen == old
    assert len(found[0].spans) == 1
    assert serving.current(7, new) == old  # what /setup says must be the same
    assert b"nerloop_adapter_load_failures_total 1.0" in metrics.render_process()
    with pytest.raises(ArtifactError):
        serving.predict(8, new, ["Ada"], LABELS)  # another project has nothing to fall back on


def test_an_adapter_of_another_base_model_is_refused(
    serving: Serving, store: ArtifactStore, engine: CapitalsEngine
) -> None:
    foreign = replace(version(1, put(store, b"one")), base_digest="f" * 64)
    with pytest.raises(AdapterError, match="NERLOOP_BASE"):
        serving.predict(7, foreign, ["Ada"], LABELS)
    assert engine.loaded == []


def test_promotion_is_only_a_swap(
    serving: Serving, store: ArtifactStore, engine: CapitalsEngine
) -> None:
    old, new = version(1, put(store, b"one")), version(2, put(store, b"two"))
    names = [serving.predict(7, v, ["Ada"], LABELS)[0].name for v in (old, new, old, new)]
    assert names == ["2.1", "2.2", "2.1", "2.2"]
    assert engine.loaded == [old.artifact_digest, new.artifact_digest]


def test_warming_up_loads_what_is_served_and_survives_what_cannot_be(
    serving: Serving, store: ArtifactStore, engine: CapitalsEngine
) -> None:
    good = version(1, put(store, b"one"))
    serving.warm_up(lambda: [(7, good), (8, version(2, "0" * 64))]).join(10)
    assert serving.is_ready
    assert engine.loaded == [good.artifact_digest]
