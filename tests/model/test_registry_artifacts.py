"""The artifact store refuses every byte that is not the one published."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError

FILES = {
    "adapter_model.safetensors": b"weights" * 10,
    "adapter_config.json": b"{}",
    "nerloop.json": b'{"method": "cllmfs"}',
}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def folder(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "artifacts" / "sha256" / digest[:2] / digest


def test_what_is_put_is_read(store: ArtifactStore, tmp_path: Path) -> None:
    digest = store.put(FILES)
    assert store.read(digest) == FILES
    assert store.put(dict(reversed(FILES.items()))) == digest
    assert list((tmp_path / "artifacts").glob("partial-*")) == []
    mode = stat.S_IMODE(folder(tmp_path, digest).stat().st_mode)
    assert mode == 0o700


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_any_damage_is_refused(
    store: ArtifactStore, tmp_path: Path, name: str, damage: str
) -> None:
    digest = store.put(FILES)
    path = folder(tmp_path, digest) / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    elif damage == "truncate":
        path.write_bytes(bytes(content[:-1]))
    else:
        path.unlink()
    with pytest.raises(ArtifactError):
        store.read(digest)


def test_swapped_adapters_are_refused(store: ArtifactStore, tmp_path: Path) -> None:
    one = store.put(FILES)
    two = store.put(FILES | {"adapter_config.json": b'{"r": 1}'})
    first, second = folder(tmp_path, one), folder(tmp_path, two)
    first.rename(tmp_path / "aside")
    second.rename(first)
    second.parent.mkdir(exist_ok=True)
    (tmp_path / "aside").rename(second)
    for digest in (one, two):
        with pytest.raises(ArtifactError):
            store.read(digest)


@pytest.mark.parametrize("name", ["weights.bin", "model.pt", "x.pkl", "README.md", "../up.json"])
def test_foreign_files_are_refused(store: ArtifactStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="Not allowed"):
        store.put(FILES | {name: b"x"})
    digest = store.put(FILES)
    if "/" not in name:
        (folder(tmp_path, digest) / name).write_bytes(b"x")
        with pytest.raises(ArtifactError, match="other files"):
            store.read(digest)


def test_a_missing_file_is_named(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactError, match=r"lacks nerloop\.json"):
        store.put({k: v for k, v in FILES.items() if k != "nerloop.json"})


@pytest.mark.parametrize(
    "address", ["", "..", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "%2e%2e/" * 8]
)
def test_only_digests_are_addresses(store: ArtifactStore, address: str) -> None:
    with pytest.raises(ArtifactError, match="digest"):
        store.read(address)


def test_old_folders_aside_are_collected(store: ArtifactStore, tmp_path: Path) -> None:
    digest = store.put(FILES)
    root = tmp_path / "artifacts"
    for name, age in (("partial-run1-fence1-x", 7200), ("partial-run2-fence1-y", 10)):
        (root / name).mkdir()
        moment = (root / name).stat().st_mtime - age
        os.utime(root / name, (moment, moment))
    assert store.collect_partials(3600) == 1
    assert (root / "partial-run2-fence1-y").exists()
    assert store.exists(digest)


def test_what_is_being_removed_is_not_swept_before_it_is_committed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    digest = store.put(FILES)
    os.utime(folder(tmp_path, digest), (0, 0))  # published long ago
    with store.removing(digest):
        assert store.collect_partials(3600) == 0
    assert not store.exists(digest)


def test_cards_beside_the_weights_stay_behind(store: ArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "adapter"
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    (source / "MODEL_CARD.md").write_text("card")
    assert store.read(store.import_folder(source)) == FILES
