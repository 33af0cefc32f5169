from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from transformers import LlamaForCausalLM

from fake_hub import COMMIT, FakeHub, served
from model.base import fetch as fetching
from model.base import load as loading
from model.base.catalogue import BaseEntry, HubSource
from model.base.digest import folder_digest, tensors_digest, weight_files
from model.base.fetch import fetch_base
from model.base.load import load_base, verify_base
from model.errors import BaseModelError

Usage = namedtuple("Usage", "total used free")
REPOSITORY = "owner/tiny"


@pytest.fixture(scope="module")
def shards(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with its weights in several files and an index."""
    folder = tmp_path_factory.mktemp("sharded")
    LlamaForCausalLM.from_pretrained(tiny_base).save_pretrained(folder, max_shard_size="60KB")
    shutil.copyfile(tiny_base / "tokenizer.json", folder / "tokenizer.json")
    assert len(weight_files(folder)) > 2
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def offered(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, *, digest: str | None = None
) -> Iterator[None]:
    source = HubSource(REPOSITORY, gated=hub.gated)
    entry = BaseEntry("tiny", (source,), digest, "Apache-2.0", "cllmfs", "for tests")
    for module in (fetching, loading):
        monkeypatch.setattr(module, "ENTRIES", MappingProxyType({"tiny": entry}))
    with served(hub, monkeypatch):
        yield


@pytest.mark.parametrize("sharded", [False, True])
def test_a_repository_is_fetched_at_one_commit_and_recorded(
    tiny_base: Path,
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sharded: bool,
) -> None:
    files = contents(shards if sharded else tiny_base) | {"README.md": b"not wanted"}
    hub = FakeHub(REPOSITORY, files)
    steps: list[tuple[str, int, int]] = []
    with offered(hub, monkeypatch):
        folder = fetch_base(tmp_path, "tiny", on_progress=lambda *step: steps.append(step))
    record = json.loads((folder / "nerloop-base.json").read_text())
    assert record["digest"] == tensors_digest(tiny_base / "model.safetensors")
    assert record["revision"] == COMMIT
    assert record["bytes"] == sum(path.stat().st_size for path in weight_files(folder))
    assert "README.md" not in [name for name, _ in hub.served]
    assert not (folder / ".cache").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
    downloads = [(done, total) for step, done, total in steps if step.startswith("download")]
    assert downloads[-1][0] == downloads[-1][1] > record["bytes"]
    assert steps[-1][1] == steps[-1][2]
    ours = load_base(tmp_path, "tiny", verify=True)
    alone = load_base(tiny_base, str(tiny_base))
    ids = torch.arange(20).unsqueeze(0)
    assert torch.equal(ours.model(ids).logits, alone.model(ids).logits)


def test_shards_have_the_digest_of_the_same_tensors_in_one_file(
    tiny_base: Path, shards: Path
) -> None:
    assert folder_digest(shards) == folder_digest(tiny_base)
    assert folder_digest(tiny_base) == tensors_digest(tiny_base / "model.safetensors")


def test_a_gated_repository_names_its_page_and_the_token(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(REPOSITORY, contents(tiny_base), gated=True)
    with (
        offered(hub, monkeypatch),
        pytest.raises(BaseModelError, match=r"https://huggingface.co/owner/tiny.*HF_TOKEN"),
    ):
        fetch_base(tmp_path, "tiny")
    assert hub.served == []


def test_a_gated_repository_that_hides_itself_from_strangers_is_told_as_gated(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = FakeHub("owner/another", contents(tiny_base), gated=True)
    with offered(hidden, monkeypatch), pytest.raises(BaseModelError, match="HF_TOKEN"):
        fetch_base(tmp_path, "tiny")


def test_an_unknown_repository_is_told(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub("owner/another", contents(tiny_base))
    with (
        offered(hub, monkeypatch),
        pytest.raises(BaseModelError, match="no public repository owner/tiny"),
    ):
        fetch_base(tmp_path, "tiny")


def test_no_hub_at_all_is_one_sentence_with_the_fix(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_arguments: object, **_options: object) -> None:
        raise ConnectionError

    with offered(FakeHub(REPOSITORY, contents(tiny_base)), monkeypatch):
        monkeypatch.setattr("huggingface_hub.model_info", no_network)
        with pytest.raises(BaseModelError, match=r"ConnectionError.*Check the network"):
            fetch_base(tmp_path, "tiny")


def test_too_little_space_is_told_before_the_weights_are_downloaded(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(REPOSITORY, contents(shards))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1, 1, 200_000_000))
    with (
        offered(hub, monkeypatch),
        pytest.raises(BaseModelError, match=r"needs 0\.2 GB free, and 0\.2 GB are"),
    ):
        fetch_base(tmp_path, "tiny")
    assert [name for name, _ in hub.served] == ["model.safetensors.index.json"]


def test_a_file_that_differs_from_what_the_hub_states_is_refused_and_fetched_alone_next_time(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = weight_files(shards)[-1].name
    hub = FakeHub(REPOSITORY, contents(shards), stated={last: "0" * 64})
    with offered(hub, monkeypatch):
        with pytest.raises(BaseModelError, match=f"{last} did not arrive with the SHA-256"):
            fetch_base(tmp_path, "tiny")
        assert not (tmp_path / "base" / "tiny").exists()
        hub.stated.clear()
        hub.served.clear()
        folder = fetch_base(tmp_path, "tiny")
    assert hub.served == [(last, 0)]
    assert verify_base(folder) == folder_digest(shards)


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(REPOSITORY, contents(tiny_base), cut_after={"model.safetensors": 100_000})
    with offered(hub, monkeypatch):
        folder = fetch_base(tmp_path, "tiny")
    assert verify_base(folder) == folder_digest(tiny_base)


def test_a_fetch_stopped_behind_the_download_does_not_download_again(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    hub = FakeHub(REPOSITORY, contents(tiny_base))
    with offered(hub, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(fetching, "_record", stopped)
            with pytest.raises(KeyboardInterrupt):
                fetch_base(tmp_path, "tiny")
        first = [name for name, _ in hub.served].count("model.safetensors")
        folder = fetch_base(tmp_path, "tiny")
    assert first >= 1
    assert [name for name, _ in hub.served].count("model.safetensors") == first
    assert verify_base(folder) == folder_digest(tiny_base)
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_repository_with_other_tensors_than_the_catalogue_is_refused(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(REPOSITORY, contents(tiny_base))
    with (
        offered(hub, monkeypatch, digest="0" * 64),
        pytest.raises(BaseModelError, match="is expected"),
    ):
        fetch_base(tmp_path, "tiny")
    assert not (tmp_path / "base" / "tiny").exists()


@pytest.mark.parametrize("absent", ["tokenizer.json", "model.safetensors"])
def test_a_repository_that_lacks_a_file_is_told_before_anything_is_downloaded(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    files = contents(tiny_base)
    del files[absent]
    hub = FakeHub(REPOSITORY, files)
    with offered(hub, monkeypatch), pytest.raises(BaseModelError, match=absent):
        fetch_base(tmp_path, "tiny")
    assert hub.served == []


def test_a_missing_shard_and_a_wrong_index_are_found(shards: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shards, tmp_path / "copy"))
    index = folder / "model.safetensors.index.json"
    whole = json.loads(index.read_text())
    places = whole["weight_map"]
    other = next(name for name in places if list(places.values()).count(places[name]) > 1)
    fewer = {name: file for name, file in places.items() if name != other}
    index.write_text(json.dumps({"weight_map": fewer}))
    with pytest.raises(BaseModelError, match="do not name the same tensors"):
        folder_digest(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(BaseModelError, match="cannot be weights"):
        weight_files(folder)
    index.write_text("[]")
    with pytest.raises(BaseModelError, match="damaged"):
        weight_files(folder)
    index.write_text(json.dumps(whole))
    weight_files(folder)[-1].unlink()
    with pytest.raises(BaseModelError, match="lacks model-"):
        folder_digest(folder)
