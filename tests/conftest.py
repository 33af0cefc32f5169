"""Fixtures that several folders share."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from base_record import write_record
from ci_rules import must_not_skip
from model.registry import projects
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database
from model.registry.tables import Project
from model.spans import Label, LabelSet
from postgres_server import PostgresServer, postgres_programs, running_postgres

if TYPE_CHECKING:
    from model.cllmfs.method import Cllmfs
    from model.method import AdapterFiles

MakeProject = Callable[..., Project]

# read when torch is loaded, here and in every process a test starts: threads that spin while they
# wait make runs on busy cores many times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped integration or e2e test is a failure."""
    report = yield
    marks = [mark.name for mark in item.iter_markers()]
    if report.skipped and must_not_skip(marks, os.environ):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {report.longrepr}"
    return report


TINY_SENTENCES = [
    "Text: Anna Smith met Ben in Paris.\nperson: << Anna Smith >> << Ben >>\nplace: << Paris >>",
    "Text: There is nobody here.\nperson: none\nplace: none\n",
    "Text: The old bridge in Oslo was closed on Monday (again).\nplace: << Oslo >>\n",
]


def write_tiny_base(folder: Path, *, seed: int = 0) -> Path:
    """Write a random two-block Llama in the format of `load_base`; returns its folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TINY_SENTENCES * 20, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.1,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LlamaForCausalLM(config)
    network.save_pretrained(folder)
    return write_record(folder)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random two-block base model; use it as `base` wherever a name may stand."""
    import torch

    torch.set_num_threads(1)  # the products are tiny: a second thread only waits
    return write_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def tiny_adapter(tiny_base: Path) -> AdapterFiles:
    """A neutral version-0 adapter for the tiny base: LoRA with B = 0."""
    from model.base.load import load_base
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.method import Cllmfs

    config = CllmfsConfig(rank=4, alpha=8)
    return Cllmfs(load_base(tiny_base, str(tiny_base)), config).fresh_adapter(seed=0).files


@pytest.fixture
def tiny_method(tiny_base: Path) -> Cllmfs:
    """CLLMFS on the tiny base, with settings that make a fit take a moment only."""
    from model.base.load import load_base
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.method import Cllmfs

    quick = replace(CllmfsConfig(), rank=4, alpha=8, rate=5e-3, max_steps=12, min_steps=4, pull=0.0)
    return Cllmfs(load_base(tiny_base, str(tiny_base)), quick)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run; tests that need it skip where there is none."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql")
    with running_postgres(programs) as server:
        yield server


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty registry on SQLite, all migrations done."""
    opened = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def make_project(database: Database) -> MakeProject:
    """Register a project with two labels; ``held_out`` is its held-out share."""

    def make(ls_id: int = 1, held_out: float = 0.0) -> Project:
        adapter = BaseAdapter("cllmfs", "tiny", "b" * 64, "a" * 64, {"rank": 4})
        labels = LabelSet((Label("PER", "person"), Label("LOC", "place")))
        new = NewProject(
            f"{ls_id}.1700000000", "http://ls", ls_id, "t", "<View/>", labels, held_out, adapter
        )
        with database.begin() as session:
            return projects.register(session, new)

    return make
