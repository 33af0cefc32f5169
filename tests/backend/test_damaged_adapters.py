"""Whatever happens to an adapter's files, it is refused, and the version before it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.metrics import Metrics
from backend.serving import Serving
from capitals_engine import BASE_DIGEST, CapitalsEngine
from model.registry.aliases import Served
from model.registry.artifacts import LEGAL, MANIFEST, ArtifactStore
from model.registry.errors import ArtifactError
from model.registry.verifying import verify
from model.spans import Label, LabelSet

LABELS = LabelSet((Label("PER"),))
EMPTY_TENSORS = (2).to_bytes(8, "little") + b"{}"


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def cut(content: bytes) -> bytes:
    return content[:-1]


def empty(content: bytes) -> bytes:
    return b""


def put(store: ArtifactStore, number: int) -> Served:
    files = {
        name: EMPTY_TENSORS if name.endswith(".safetensors") else b'{"version": %d}' % number
        for name in LEGAL
    }
    digest = store.put(files)
    return Served(number, number, f"2.{number}", "cllmfs", digest, BASE_DIGEST, number)


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
    return Serving(
        lambda method: engine, lambda served: store.read(served.artifact_digest), metrics
    )


def folder(tmp_path: Path, served: Served) -> Path:
    digest = served.artifact_digest
    return tmp_path / "artifacts" / "sha256" / digest[:2] / digest


@pytest.mark.parametrize("name", [*sorted(LEGAL), MANIFEST])
@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_file_is_refused_and_the_former_version_answers(
    store: ArtifactStore,
    serving: Serving,
    engine: CapitalsEngine,
    metrics: Metrics,
    tmp_path: Path,
    name: str,
    damage: Callable[[bytes], bytes],
) -> None:
    old, new = put(store, 1), put(store, 2)
    serving.predict(7, old, ["Ada"], LABELS)
    damaged = folder(tmp_path, new) / name
    damaged.write_bytes(damage(damaged.read_bytes()))
    with pytest.raises(ArtifactError):
        verify(store, new.artifact_digest)
    for _ in range(3):
        answered, found = serving.predict(7, new, ["Ada"], LABELS)
        assert (answered, len(found[0].spans)) == (old, 1)
    assert engine.loaded == [old.artifact_digest]
    assert b"nerloop_adapter_load_failures_total 1.0" in metrics.render_process()


def test_two_swapped_adapters_are_both_refused(
    store: ArtifactStore,
    serving: Serving,
    engine: CapitalsEngine,
    metrics: Metrics,
    tmp_path: Path,
) -> None:
    old, one, two = put(store, 1), put(store, 2), put(store, 3)
    serving.predict(7, old, ["Ada"], LABELS)
    aside = tmp_path / "aside"
    folder(tmp_path, one).rename(aside)
    folder(tmp_path, two).rename(folder(tmp_path, one))
    aside.rename(folder(tmp_path, two))
    for swapped in (one, two):
        with pytest.raises(ArtifactError):
            verify(store, swapped.artifact_digest)
        assert serving.predict(7, swapped, ["Ada"], LABELS)[0] == old
    assert engine.loaded == [old.artifact_digest]
    assert b"nerloop_adapter_load_failures_total 2.0" in metrics.render_process()


def test_what_is_whole_is_verified_and_what_cannot_be_parsed_is_told(store: ArtifactStore) -> None:
    verify(store, put(store, 1).artifact_digest)
    whole = {name: store.read(put(store, 1).artifact_digest)[name] for name in LEGAL}
    for name, content in (
        ("adapter_config.json", b"{"),
        ("nerloop.json", b"[]"),
        ("heads.safetensors", b"no tensors at all"),
    ):
        digest = store.put(whole | {name: content})
        with pytest.raises(ArtifactError, match=f"{name} of adapter {digest[:12]}"):
            verify(store, digest)
