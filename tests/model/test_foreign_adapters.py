"""Adapters nobody here made: other kinds of files, other bases, code to run; all refused."""

from __future__ import annotations

import ast
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from label_aware_support import QUICK
from model.base.encoder import load_encoder
from model.base.load import load_base
from model.cllmfs.method import Cllmfs
from model.encoding.tuning import Tuning
from model.errors import AdapterError
from model.label_aware.method import LabelAware
from model.method import AdapterFiles
from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError
from tiny_encoder import write_tiny_encoder

ROOT = Path(__file__).parents[2]
FOREIGN = (
    "adapter_model.bin",
    "pytorch_model.bin",
    "model.pt",
    "weights.pkl",
    "weights.pickle",
    "state.pth",
    "last.ckpt",
    "modeling_evil.py",
    "archive.zip",
)
CODE = {"auto_map": {"AutoModel": "evil.Evil"}, "trust_remote_code": True}


class Bomb:
    """Unpickling it leaves a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def by_hand(root: Path, files: dict[str, bytes]) -> str:
    """A folder as somebody who may write to the store could make it, its digest in order."""
    entries = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    manifest = json.dumps({"files": entries}, sort_keys=True).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    folder = root / "sha256" / digest[:2] / digest
    folder.mkdir(parents=True)
    for name, content in {**files, "manifest.json": manifest}.items():
        (folder / name).write_bytes(content)
    return digest


def changed(files: AdapterFiles, name: str, changes: dict[str, Any]) -> dict[str, bytes]:
    return {**files, name: json.dumps({**json.loads(files[name]), **changes}).encode()}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_kinds_of_files_are_refused_on_every_way_in(
    tmp_path: Path, tiny_adapter: AdapterFiles, name: str
) -> None:
    store, fired = ArtifactStore(tmp_path / "store"), tmp_path / "fired"
    bomb = pickle.dumps(Bomb(fired))
    with pytest.raises(ArtifactError, match="Not allowed"):
        store.put({**tiny_adapter, name: bomb})
    with pytest.raises(ArtifactError, match="Not allowed"):
        store.read(by_hand(tmp_path / "store", {**tiny_adapter, name: bomb}))
    good = store.put(tiny_adapter)
    (tmp_path / "store" / "sha256" / good[:2] / good / name).write_bytes(bomb)
    with pytest.raises(ArtifactError, match="other files"):
        store.read(good)
    assert not fired.exists()
    pickle.loads(bomb)  # noqa: S301 - the bomb is a real one
    assert fired.exists()


@pytest.mark.parametrize("name", FOREIGN[:4])
def test_an_imported_folder_leaves_them_behind_and_needs_safetensors(
    tmp_path: Path, tiny_adapter: AdapterFiles, name: str
) -> None:
    store, folder = ArtifactStore(tmp_path / "store"), tmp_path / "given"
    folder.mkdir()
    for own, content in tiny_adapter.items():
        (folder / own).write_bytes(content)
    (folder / name).write_bytes(b"x")
    assert store.read(store.import_folder(folder)) == tiny_adapter
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"lacks adapter_model\.safetensors"):
        store.import_folder(folder)


@pytest.mark.parametrize("content", [b"\x80\x04.", b"PK\x03\x04", b"", b"{}"])
def test_what_is_called_safetensors_and_is_none_is_refused(
    tiny_base: Path, tiny_adapter: AdapterFiles, content: bytes
) -> None:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)))
    with pytest.raises(AdapterError):
        method.load("bad", {**tiny_adapter, "adapter_model.safetensors": content})


@pytest.mark.parametrize("changes", [{name: CODE[name]} for name in CODE])
def test_a_config_that_names_code_is_refused_by_the_language_model(
    tiny_base: Path, tiny_adapter: AdapterFiles, changes: dict[str, Any]
) -> None:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)))
    with pytest.raises(AdapterError):
        method.load("bad", changed(tiny_adapter, "adapter_config.json", changes))
    method.load("good", tiny_adapter)


def test_another_base_model_is_refused_by_the_language_model(
    tiny_base: Path, tiny_adapter: AdapterFiles
) -> None:
    method = Cllmfs(load_base(tiny_base, str(tiny_base)))
    with pytest.raises(AdapterError, match="digest"):
        method.load("bad", changed(tiny_adapter, "nerloop.json", {"base_digest": "0" * 64}))


@pytest.fixture(scope="module")
def encoder_adapter(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelAware, AdapterFiles]:
    """The label-aware method on a tiny encoder, and an adapter for it."""
    folder = write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")
    method = LabelAware(load_encoder(folder, str(folder)), QUICK)
    return method, method.fresh_adapter(0).files


@pytest.mark.parametrize("changes", [{name: CODE[name]} for name in CODE])
def test_a_config_that_names_code_is_refused_by_the_encoder(
    encoder_adapter: tuple[LabelAware, AdapterFiles], changes: dict[str, Any]
) -> None:
    method, files = encoder_adapter
    with pytest.raises(AdapterError):
        method.load("bad", changed(files, "adapter_config.json", changes))
    method.load("good", files)
    with pytest.raises(AdapterError):
        Tuning.parsed({"tuning": "full", **changes}, {})


def test_another_base_model_is_refused_by_the_encoder(
    encoder_adapter: tuple[LabelAware, AdapterFiles],
) -> None:
    method, files = encoder_adapter
    with pytest.raises(AdapterError, match="digest"):
        method.load("bad", changed(files, "nerloop.json", {"base_digest": "0" * 64}))


PICKLES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}


def test_nothing_here_can_run_code_that_came_with_data() -> None:
    """No pickle, no torch.load, no unpacking of archives, no eval; remote code stays off."""
    for path in (p for name in ("backend", "worker", "model") for p in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.partition(".")[0] for alias in node.names}
                source = getattr(node, "module", None)
                assert not (names | {source}) & PICKLES, where
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "torch.load", "torch.hub.load"), where
                assert called.rpartition(".")[2] not in ("extractall", "unpack_archive"), where
                for keyword in node.keywords:
                    if keyword.arg in ("trust_remote_code", "allow_pickle"):
                        assert ast.unparse(keyword.value) == "False", where


def test_readers_of_base_models_say_that_remote_code_is_off() -> None:
    for name in ("network.py", "encoder.py"):
        text = (ROOT / "model" / "base" / name).read_text("utf-8")
        calls = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("from_pretrained")
        ]
        assert calls
        for call in calls:
            given = {item.arg: ast.unparse(item.value) for item in call.keywords}
            assert given["trust_remote_code"] == "False"
            assert given["use_safetensors"] == "True"
