"""Connecting a project: everything set up, nothing twice, every refusal explained."""

from __future__ import annotations

import base64
import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.enrolment import Enrolment
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import Connected, connect, disconnect
from backend.labelstudio.errors import (
    BackendUrlRefusedError,
    LabelStudioRefusedError,
    MissingTokenError,
    UnsupportedConfigError,
)
from backend.labelstudio.tokens import Connection, load_connection
from backend.secret_values import Secret
from backend.settings import BasicAuth, Settings
from fake_label_studio import FakeLabelStudio
from model.errors import BaseModelError
from model.lanes import UnknownLaneError
from model.registry import aliases, inbox, lanes, projects, versions
from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from model.registry.tables import Project

URL, TOKEN = "http://nerloop:9090", "0123456789abcdef"


class Setting:
    """All that connect needs, around one Label Studio in memory."""

    def __init__(
        self,
        label_studio: FakeLabelStudio,
        settings: Settings,
        registry: Database,
        enrolment: Enrolment,
    ) -> None:
        self.label_studio, self.registry, self.enrolment = label_studio, registry, enrolment
        self.settings = replace(settings, basic_auth=BasicAuth("ls", Secret("horse-17")))

    def open(self, connection: Connection) -> LabelStudioClient:
        transport = self.label_studio.transport()
        return LabelStudioClient(connection.url, connection.token, transport=transport)

    def connect(self, token: str = TOKEN, url: str = URL, method: str | None = None) -> Connected:
        return connect(
            Connection("http://ls", Secret(token)),
            1,
            backend_url=url,
            settings=self.settings,
            database=self.registry,
            enrolment=self.enrolment,
            method=method,
            open_client=self.open,
        )

    def project(self) -> Project:
        with self.registry.read() as session:
            return projects.by_label_studio(session, 1)


@pytest.fixture
def around(
    label_studio: FakeLabelStudio, settings: Settings, registry: Database, enrolment: Enrolment
) -> Setting:
    for number in range(1, 101):
        label_studio.add_task(number, f"Ada {number}")
    return Setting(label_studio, settings, registry, enrolment)


def test_connecting_sets_up_everything(around: Setting) -> None:
    done = around.connect()
    fake, row = around.label_studio, around.project()
    assert (done.title, done.tasks, done.warnings) == ("garden", 100, ())
    assert done.method == around.project().method == "cllmfs"
    (backend,) = fake.backends.values()
    assert (backend["url"], backend["title"]) == (URL, "nerloop")
    assert (backend["auth_method"], backend["basic_auth_user"]) == ("BASIC_AUTH", "ls")
    (hook,) = fake.webhooks.values()
    assert hook["url"] == f"{URL}/webhook"
    assert hook["headers"]["Authorization"] == f"Basic {base64.b64encode(b'ls:horse-17').decode()}"
    assert fake.settings == {
        "sampling": "Uncertainty sampling",
        "min_annotations_to_start_training": 0,
        "show_collab_predictions": True,
    }
    assert row.uid == "1.1700000000"
    assert (row.connected, row.url, row.title) == (True, "http://ls", "garden")
    assert row.held_out_share == 0.3  # 30 of 100 tasks
    assert [item["name"] for item in row.label_set] == ["PER", "LOC"]
    assert row.dirty_seq > row.clean_seq
    assert (row.pointer_seen, row.pointer_wanted) == ("nerloop", None)
    with around.registry.read() as session:
        assert aliases.served(session, row.id).name == "1.0"


def test_the_token_is_kept_for_the_owner_alone(around: Setting) -> None:
    row_id = around.connect().project_id
    path = around.settings.secrets / f"{row_id}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"url": "http://ls", "token": "0123456789abcdef"}
    kept = load_connection(around.settings.secrets, row_id)
    assert kept == Connection("http://ls", Secret("0123456789abcdef"))
    assert "0123456789abcdef" not in repr(kept)


def test_doing_it_again_repairs_and_doubles_nothing(around: Setting) -> None:
    first = around.connect()
    fake = around.label_studio
    salt = around.project().salt
    fake.webhooks[1].update(is_active=False, headers={})
    fake.backends[2] = {"id": 2, "url": "http://old:9090", "title": "nerloop"}
    fake.webhooks[2] = {"id": 2, "url": f"{URL}/webhook", "is_active": True}
    fake.webhooks[3] = {"id": 3, "url": "http://old:9090/webhook", "is_active": True}
    again = around.connect()
    assert again.project_id == first.project_id
    assert around.project().salt == salt
    assert [item["url"] for item in fake.backends.values()] == [URL]
    here = [hook for hook in fake.webhooks.values() if hook["url"] == f"{URL}/webhook"]
    assert len(here) == 1
    assert here[0]["is_active"] is True
    assert "Authorization" in here[0]["headers"]
    assert "http://old:9090/webhook" in again.warnings[0]


def test_a_moved_backend_is_edited_and_gets_its_webhook(around: Setting) -> None:
    """Label Studio does not move the webhook when a backend's address is edited."""
    around.connect()
    again = around.connect(url="http://elsewhere:9090")
    fake = around.label_studio
    assert [item["url"] for item in fake.backends.values()] == ["http://elsewhere:9090"]
    assert "http://elsewhere:9090/webhook" in [hook["url"] for hook in fake.webhooks.values()]
    assert f"{URL}/webhook" in again.warnings[0]


@pytest.mark.parametrize(
    ("switch", "says", "not_says"),
    [
        ("backend", "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false", "no webhook"),
        ("webhook", "made no webhook", "because it lies"),
    ],
)
def test_both_address_switches_are_named(
    around: Setting, switch: str, says: str, not_says: str
) -> None:
    around.label_studio.refuse_backend = switch
    with pytest.raises(BackendUrlRefusedError) as caught:
        around.connect()
    assert says in str(caught.value)
    assert not_says not in str(caught.value)
    assert not around.project().connected


def test_a_missing_webhook_is_made_by_us(around: Setting) -> None:
    around.label_studio.makes_webhook = False
    around.connect()
    assert [hook["url"] for hook in around.label_studio.webhooks.values()] == [f"{URL}/webhook"]


def test_a_wrong_token_or_an_unsupported_config_leaves_nothing_behind(around: Setting) -> None:
    with pytest.raises(LabelStudioRefusedError):
        around.connect(token="wrong")
    around.label_studio.config = "<View></View>"
    with pytest.raises(UnsupportedConfigError, match="still empty"):
        around.connect()
    assert around.label_studio.backends == {}
    with around.registry.read() as session:
        assert list(projects.every(session)) == []
    assert not list(around.settings.secrets.glob("*.json"))


def test_another_backend_before_ours_is_told(around: Setting) -> None:
    around.label_studio.backends[1] = {"id": 1, "url": "http://gliner:9090", "title": "gliner"}
    (warning,) = around.connect().warnings
    assert "'gliner'" in warning
    assert around.label_studio.backends[1]["title"] == "gliner"


def test_disconnecting_takes_backend_webhook_and_token_away(around: Setting) -> None:
    row_id = around.connect().project_id
    around.label_studio.webhooks[9] = {"id": 9, "url": "http://other/webhook", "is_active": True}
    disconnect(
        Connection("http://ls", Secret("0123456789abcdef")),
        1,
        backend_url=None,
        settings=around.settings,
        database=around.registry,
        open_client=around.open,
    )
    fake: Any = around.label_studio
    assert fake.backends == {}
    assert [hook["url"] for hook in fake.webhooks.values()] == ["http://other/webhook"]
    assert not around.project().connected
    with pytest.raises(MissingTokenError):
        load_connection(around.settings.secrets, row_id)


def test_connecting_again_later_has_the_pointer_set_anew(around: Setting) -> None:
    around.connect()
    with around.registry.begin() as session:
        projects.set_pointer(session, 1, seen="1.0", wanted="1.0")
    around.connect()  # Label Studio's pointer is the title again
    assert (around.project().pointer_seen, around.project().pointer_wanted) == ("nerloop", None)


@pytest.fixture
def both(around: Setting, home: Path) -> Setting:
    """The same with an encoder and a base adapter of the label-aware method."""
    encoder, adapter = home / "own-encoder", home / "encoder-adapter"
    for folder, origin in ((encoder, home / "own-base"), (adapter, home / "own-adapter")):
        shutil.copytree(origin, folder)
    record = {"name": "enc", "digest": "e" * 64, "bytes": 2}
    (encoder / "nerloop-base.json").write_text(json.dumps(record))
    made = {"method": "label_aware", "base": "enc", "base_digest": "e" * 64, "config": {}}
    (adapter / "nerloop.json").write_text(json.dumps(made))
    around.settings = replace(
        around.settings, encoder=str(encoder), encoder_adapter=adapter, method="cllmfs"
    )
    store = ArtifactStore(around.settings.artifacts)
    around.enrolment = Enrolment(around.registry, store, around.settings)
    return around


def methods(around: Setting) -> list[tuple[int, str, str]]:
    """Number, method and base model of every version."""
    with around.registry.read() as session:
        listed = versions.versions(session, around.project().id)
        return [(view.number, view.method, view.base_name) for view in listed]


def test_a_project_is_connected_with_the_label_aware_method(both: Setting) -> None:
    done = both.connect(method="label_aware")
    assert done.method == both.project().method == "label_aware"
    assert done.warnings == ()
    assert methods(both) == [(0, "label_aware", "enc")]
    with both.registry.read() as session:
        served = aliases.served(session, done.project_id)
    assert (served.name, served.method, served.base_digest) == ("1.0", "label_aware", "e" * 64)
    assert both.connect().method == "label_aware"  # not said again, not changed


def test_the_configured_method_is_that_of_new_projects(both: Setting) -> None:
    both.settings = replace(both.settings, method="label_aware")
    store = ArtifactStore(both.settings.artifacts)
    both.enrolment = Enrolment(both.registry, store, both.settings)
    assert both.connect().method == "label_aware"


def test_a_project_changes_its_method_and_nothing_served_moves(both: Setting) -> None:
    row_id = both.connect().project_id
    changed = both.connect(method="label_aware")
    assert (changed.project_id, changed.method) == (row_id, "label_aware")
    assert "trains with label_aware from now on" in changed.warnings[0]
    assert "Version 1.0 is served" in changed.warnings[0]
    after = [(0, "cllmfs", "tiny"), (1, "label_aware", "enc")]
    assert methods(both) == after
    with both.registry.read() as session:
        assert aliases.served(session, row_id).name == "1.0"
    with both.registry.begin() as session:
        both_lanes = [lanes.lane(session, row_id, name) for name in ("cllmfs", "label_aware")]
        inbox.ask_training(session, row_id)
        session.expire_all()
        assert [lane.asked for lane in both_lanes] == [False, True]
    assert both.connect(method="label_aware").warnings == ()
    back = both.connect(method="cllmfs")
    assert back.method == "cllmfs"
    assert "0 is the base adapter of cllmfs" in back.warnings[0]
    assert methods(both) == after  # no version is made twice


def test_without_its_encoder_or_with_a_foreign_adapter_the_method_is_refused(
    around: Setting, home: Path
) -> None:
    with pytest.raises(BaseModelError, match="nerloop base fetch minilm-l6"):
        around.connect(method="label_aware")
    with pytest.raises(UnknownLaneError, match="cllmfs, label_aware"):
        around.connect(method="tagger")
    with around.registry.read() as session:
        assert list(projects.every(session)) == []
    # an adapter of the other method
    mixed = replace(around.settings, encoder=str(home / "own-base"))
    mixed = replace(mixed, encoder_adapter=mixed.base_adapter)
    around.enrolment = Enrolment(around.registry, ArtifactStore(mixed.artifacts), mixed)
    with pytest.raises(BaseModelError, match="NERLOOP_ENCODER_ADAPTER"):
        around.connect(method="label_aware")
