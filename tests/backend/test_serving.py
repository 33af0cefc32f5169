"""The engine behind ``/predict``: right version, damaged adapters, one bad text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from backend.metrics import Metrics
from backend.serving import CHUNK, ReadVersion, Serving
from capitals_engine import BASE_DIGEST, CapitalsEngine
from model.errors import AdapterError, BaseModelError
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


def reader(store: ArtifactStore) -> ReadVersion:
    return lambda served: store.read(served.artifact_digest)


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
    return Serving(lambda method: engine, reader(store), metrics)


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


def test_each_method_has_an_engine_of_its_own_and_one_does_not_hinder_the_other(
    store: ArtifactStore, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    slow, fast = CapitalsEngine(), CapitalsEngine()

    def open_engine(method: str) -> CapitalsEngine:
        if method == "label_aware" and not fetched:
            raise BaseModelError("minilm-l6 is not here yet")
        return {"cllmfs": slow, "label_aware": fast}[method]

    serving, fetched = Serving(open_engine, reader(store), metrics), list[bool]()
    one = version(1, put(store, b"one"))
    two = replace(version(2, put(store, b"two")), method="label_aware")
    serving.warm_up(lambda: [(8, two), (7, one)]).join(10)
    assert slow.loaded == [one.artifact_digest]
    assert "2.2 was not loaded ahead: minilm-l6" in caplog.text
    with pytest.raises(BaseModelError):
        serving.predict(8, two, ["Ada"], LABELS)
    fetched.append(True)
    assert serving.predict(8, two, ["Ada"], LABELS)[0] == two
    assert serving.predict(7, one, ["Bob"], LABELS)[0] == one
    assert (slow.texts, fast.texts) == (["Bob"], ["Ada"])
    # a project that changed its method goes from one engine to the other
    assert serving.predict(8, replace(one, version_id=3), ["Cyd"], LABELS)[0].method == "cllmfs"
    assert slow.texts == ["Bob", "Cyd"]


def test_a_slow_method_does_not_keep_a_fast_one_waiting(
    store: ArtifactStore, metrics: Metrics
) -> None:
    loading, loaded = Event(), Event()

    def open_engine(method: str) -> CapitalsEngine:
        if method == "cllmfs":
            loading.set()
            loaded.wait(20)
        return CapitalsEngine()

    serving = Serving(open_engine, reader(store), metrics)
    one = version(1, put(store, b"one"))
    warming = serving.warm_up(lambda: [(7, one)])
    assert loading.wait(10)
    fast = replace(one, method="label_aware")
    assert serving.predict(8, fast, ["Ada"], LABELS)[0] == fast
    loaded.set()
    warming.join(10)


@pytest.mark.parametrize("method", ["cllmfs", "label_aware"])
def test_without_a_project_the_base_model_of_new_ones_is_loaded(
    store: ArtifactStore, metrics: Metrics, method: str
) -> None:
    opened: list[str] = []

    def open_engine(name: str) -> CapitalsEngine:
        opened.append(name)
        return CapitalsEngine()

    serving = Serving(open_engine, reader(store), metrics, method=method)
    serving.warm_up(list).join(10)
    assert opened == [method]


def test_adapters_in_memory_and_adapters_read_are_counted(
    serving: Serving, store: ArtifactStore, metrics: Metrics
) -> None:
    one = version(1, put(store, b"one"))
    for _ in range(3):
        serving.predict(7, one, ["Anna"], LABELS)
    # each request looks twice: before its first text, and before each part of its texts
    assert b'nerloop_adapter_cache_total{result="miss"} 1.0' in metrics.render_process()
    assert b'nerloop_adapter_cache_total{result="hit"} 5.0' in metrics.render_process()
