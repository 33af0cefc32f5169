"""An exported version is a folder that plain peft loads on a clean base, with a card beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load
from transformers import AutoModelForCausalLM

from backend.exporting import ExportError, export_version
from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.method import Cllmfs
from model.method import AdapterFiles
from model.registry import versions
from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError, UnknownVersionError
from model.registry.rows import row
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.versions import Publication, Scores
from model.spans import AnnotatedText, Label, LabelSet, Span
from registry_runs import annotate, asked, condemn, taken

MakeProject = Callable[..., Project]
# peft reads an attribute that transformers is about to rename
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


@pytest.fixture(scope="module")
def trained_files(tiny_base: Path) -> AdapterFiles:
    quick = replace(
        CllmfsConfig(), rank=4, alpha=8, rate=2e-2, max_steps=12, min_steps=12, pull=0.0
    )
    method = Cllmfs(load_base(tiny_base, str(tiny_base)), quick)
    labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
    text = AnnotatedText("Anna met Ben in Paris.", (Span(0, 4, "PER"), Span(16, 21, "LOC")))
    start = method.fresh_adapter(seed=0).files
    return method.fit([text], labels, start=start, seed=1).files


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def published(
    database: Database, project: Project, store: ArtifactStore, files: AdapterFiles
) -> str:
    """Version 1 of these files, scored on two held-out documents with F1 = 0.75."""
    annotate(database, project, 1)
    claim = taken(database, asked(database, project))
    scores = Scores("e" * 64, ((1, 1, 2, 1), (2, 2, 2, 3)))
    digest = store.put(files)
    made = Publication(digest, "smollm2-135m-q4", "b" * 64, {"rank": 4}, {}, scores)
    with database.begin() as session:
        assert versions.publish(session, claim, made) is not None
    return digest


def logits(base: Path, adapter: Path | None) -> torch.Tensor:
    network: Any = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    if adapter is not None:
        network = PeftModel.from_pretrained(network, str(adapter))
    with torch.inference_mode():
        found: torch.Tensor = network.eval()(torch.arange(3, 27).view(1, -1)).logits
    return found


def test_peft_loads_an_exported_version_on_a_clean_base(
    database: Database,
    make_project: MakeProject,
    store: ArtifactStore,
    trained_files: AdapterFiles,
    tiny_base: Path,
    tmp_path: Path,
) -> None:
    project = make_project()
    digest = published(database, project, store, trained_files)
    folder = tmp_path / "out" / "version-1"
    report = export_version(database, store, project.id, 1, folder)
    assert (report.name, report.digest, report.peft) == ("1.1", digest, True)
    assert report.files == tuple(sorted(path.name for path in folder.iterdir()))
    assert report.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest() == digest
    weights = (folder / "adapter_model.safetensors").read_bytes()
    network: Any = AutoModelForCausalLM.from_pretrained(tiny_base, dtype="auto")
    loaded = PeftModel.from_pretrained(network, str(folder)).state_dict()
    for name, tensor in load(weights).items():
        mine = loaded[name.replace(".weight", ".default.weight")]
        assert torch.equal(mine, tensor.to(mine.dtype)), name
    assert (logits(tiny_base, folder) - logits(tiny_base, None)).abs().max() > 0.1


def test_the_card_says_what_it_is_and_where_it_comes_from(
    database: Database,
    make_project: MakeProject,
    store: ArtifactStore,
    tiny_adapter: AdapterFiles,
    tmp_path: Path,
) -> None:
    project = make_project()
    digest = published(database, project, store, tiny_adapter)
    export_version(database, store, project.id, 1, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for words in (
        "library_name: peft",
        "# Adapter version 1.1",
        f"`{digest}`",
        f"`{'b' * 64}`",
        "6 annotated spans in 6 texts",
        "| `PER` | 6 |",
        "F1 (start, end and label exact) of 75.0 on 2 held-out texts",
        "Apache-2.0",
        "CC BY-SA 4.0",
        '"rank": 4',
        "`adapter_model.safetensors`",
    ):
        assert words in card, words
    assert "Ada 1" not in card  # no annotated text leaves with the weights


def test_an_encoder_methods_folder_says_that_peft_is_not_enough(
    database: Database, make_project: MakeProject, store: ArtifactStore, tmp_path: Path
) -> None:
    project = make_project()
    files = {
        "adapter_model.safetensors": b"w",
        "adapter_config.json": b"{}",
        "nerloop.json": json.dumps({"method": "label_aware"}).encode(),
        "heads.safetensors": b"h",
        "support.safetensors": b"s",
    }
    published(database, project, store, files)
    with database.begin() as session:
        first = row(session, project.id, 1)
        second = {
            name: getattr(first, name)
            for name in ("project_id", "base_name", "base_digest", "artifact_digest", "config")
        }
        made = type(first)(**second, number=2, method="label_aware", report={})
        session.add(made)
    report = export_version(database, store, project.id, 2, tmp_path / "out")
    assert not report.peft
    assert {"heads.safetensors", "support.safetensors"} <= set(report.files)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "library_name: nerloop" in card
    assert "peft alone cannot use it" in card


def test_a_folder_in_use_or_out_of_reach_is_refused(
    database: Database,
    make_project: MakeProject,
    store: ArtifactStore,
    tiny_adapter: AdapterFiles,
    tmp_path: Path,
) -> None:
    project = make_project()
    published(database, project, store, tiny_adapter)
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    file.write_text("keep")
    for folder, words in ((full, "not empty"), (file, "cannot be used"), (file / "x", "cannot")):
        with pytest.raises(ExportError, match=words):
            export_version(database, store, project.id, 1, folder)
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    with pytest.raises(UnknownVersionError):
        export_version(database, store, project.id, 9, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_damaged_or_condemned_is_not_exported(
    database: Database,
    make_project: MakeProject,
    store: ArtifactStore,
    tiny_adapter: AdapterFiles,
    tmp_path: Path,
) -> None:
    project = make_project()
    digest = published(database, project, store, tiny_adapter)
    config = tmp_path / "artifacts" / "sha256" / digest[:2] / digest / "adapter_config.json"
    whole = config.read_bytes()
    config.write_bytes(whole[:-1])
    with pytest.raises(ArtifactError, match="damaged"):
        export_version(database, store, project.id, 1, tmp_path / "out")
    config.write_bytes(whole)
    condemn(database, project, 1)
    with pytest.raises(ArtifactError, match="condemned"):
        export_version(database, store, project.id, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_label_cannot_break_the_card(
    database: Database,
    make_project: MakeProject,
    store: ArtifactStore,
    tiny_adapter: AdapterFiles,
    tmp_path: Path,
) -> None:
    project = make_project()
    nasty = LabelSet((Label("PER"), Label("a`|<script>\n# x")))
    with database.begin() as session:
        session.get_one(Project, project.id).label_set = nasty.to_json()
    published(database, project, store, tiny_adapter)
    export_version(database, store, project.id, 1, tmp_path / "out")
    assert "| `a script # x` | 0 |" in (tmp_path / "out" / "README.md").read_text()
