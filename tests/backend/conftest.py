"""A home with a base model's record and an adapter, the app on it, and recorded traffic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.enrolment import Enrolment
from backend.secret_values import Secret
from backend.settings import Settings
from backend.studies.study import Setting
from capitals_engine import BASE_DIGEST, CapitalsEngine
from fake_label_studio import FakeLabelStudio
from model.method import AdapterFiles
from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from study_corpus import QUICK, write_corpus


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder with the record of a base model and an adapter for it."""
    folder = tmp_path / "home"
    base, adapter = folder / "own-base", folder / "own-adapter"
    base.mkdir(parents=True)
    adapter.mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (base / name).write_bytes(b"{}")
    record = {"name": "tiny", "digest": BASE_DIGEST, "bytes": 2}
    (base / "nerloop-base.json").write_text(json.dumps(record))
    origin = {"method": "cllmfs", "base": "tiny", "base_digest": BASE_DIGEST, "config": {"rank": 4}}
    (adapter / "nerloop.json").write_text(json.dumps(origin))
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of that home, without authentication, with an admin token."""
    read = Settings.from_environ(
        {
            "NERLOOP_HOME": str(home),
            "NERLOOP_BASE": str(home / "own-base"),
            "NERLOOP_BASE_ADAPTER": str(home / "own-adapter"),
            "NERLOOP_ADMIN_TOKEN": "adm1n-t0ken-of-the-tests",
            "REDIS_URL": "redis://127.0.0.1:1/0",
        }
    )
    return replace(read, label_studio_token=Secret("0123456789abcdef"))


@pytest.fixture
def registry(settings: Settings) -> Iterator[Database]:
    """The registry of that home."""
    opened = Database(settings.database_url.reveal())
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def enrolment(registry: Database, settings: Settings) -> Enrolment:
    """Registers projects in that home."""
    return Enrolment(registry, ArtifactStore(settings.artifacts), settings)


@pytest.fixture
def engine() -> CapitalsEngine:
    """An engine that needs no model."""
    return CapitalsEngine()


@pytest.fixture
def client(settings: Settings, engine: CapitalsEngine) -> Iterator[TestClient]:
    """The running app."""
    app = create_app(settings, open_engine=lambda method: engine)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def label_studio() -> FakeLabelStudio:
    """A Label Studio in memory."""
    return FakeLabelStudio()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a small corpus."""
    data = tmp_path_factory.mktemp("data")
    write_corpus(data)
    return data


@pytest.fixture
def setting(corpus: Path, tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path) -> Setting:
    """Where studies are measured: the small corpus, the tiny base and a neutral adapter."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name, content in tiny_adapter.items():
        (adapter / name).write_bytes(content)
    return Setting(
        data=corpus,
        out=tmp_path / "out",
        home=tmp_path,
        base=str(tiny_base),
        encoder=str(tmp_path / "encoder"),
        adapter=str(adapter),
        encoder_adapter="none",
        sources=tmp_path / "sources",
        episodes=tmp_path / "episodes",
        threads=1,
        settings=QUICK,
    )
