"""label-studio-ml 1.0.9 in its own environment: its start command, and the class under it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.enrolment import Enrolment
from backend.settings import Settings
from demo_process import label_studio_env
from loop_processes import until
from model.method import AdapterFiles
from model.registry import projects
from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from model.registry.tables import FeedbackEvent, Lane
from plugin_server import (
    LabelStudio,
    plugin_environment,
    running_label_studio,
    running_plugin,
)
from tiny_encoder import write_tiny_encoder

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CONFIG = """<View><Labels name="label" toName="text"><Label value="Person"/><Label value="Plant"/>
</Labels><Text name="text" value="$text"/></View>"""
TEXTS = ["Ada watered the rose.", "Ben sold a fern \N{HERB} to Cleo.", "Nothing happened."]

CLASS_UNDER_1_0_9 = """
import json, multiprocessing, sys
from label_studio_ml.api import init_app
from backend.plugin.nerloop_ml_backend import NerloopBackend

if __name__ == "__main__":
    given = json.load(sys.stdin)
    client = init_app(model_class=NerloopBackend, model_dir=given["folder"]).test_client()
    answers = [client.get("/health").status_code]
    for path, body in given["calls"]:
        answer = client.post(path, json=body)
        answers.append([answer.status_code, answer.get_json()])
    for process in multiprocessing.active_children():  # 1.0.9 handles each event in one
        process.join(90)
    json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, tiny_adapter: AdapterFiles
) -> dict[str, str]:
    """A home with the tiny base model and its neutral adapter."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "adapter").mkdir()
    for name, content in tiny_adapter.items():
        (folder / "adapter" / name).write_bytes(content)
    return {
        "NERLOOP_HOME": str(folder / "home"),
        "NERLOOP_BASE": str(tiny_base),
        "NERLOOP_BASE_ADAPTER": str(folder / "adapter"),
        "NERLOOP_ENCODER": str(write_tiny_encoder(folder / "encoder")),
        "NERLOOP_THREADS": "1",
    }


@pytest.fixture(scope="module")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    plugin_environment()
    with running_label_studio(tmp_path_factory.mktemp("ls"), label_studio_env()) as started:
        yield started


def seen(settings: dict[str, str]) -> list[tuple[int, list[str]]]:
    """Every project known, with the actions recorded for it."""
    database = Database(f"sqlite:///{settings['NERLOOP_HOME']}/nerloop.db")
    try:
        with database.read() as session:
            return [
                (
                    project.ls_id,
                    [
                        event.action
                        for event in session.query(FeedbackEvent)
                        .filter(FeedbackEvent.project_id == project.id)
                        .order_by(FeedbackEvent.id)
                    ],
                )
                for project in projects.every(session)
            ]
    finally:
        database.close()


def asked(settings: dict[str, str], number: int) -> bool:
    """Whether somebody asked for a training run of this project."""
    database = Database(f"sqlite:///{settings['NERLOOP_HOME']}/nerloop.db")
    try:
        with database.read() as session:
            project = projects.by_label_studio(session, number)
            return session.get_one(Lane, (project.id, project.method)).asked
    finally:
        database.close()


def introduce(settings: dict[str, str], uid: str) -> None:
    """Register a project as `nerloop connect` would."""
    home = Path(settings["NERLOOP_HOME"])
    database = Database(f"sqlite:///{home}/nerloop.db")
    database.upgrade()
    made = Settings.from_environ(settings)
    Enrolment(database, ArtifactStore(made.artifacts), made).enrol(
        uid, "http://label-studio.invalid", config=CONFIG
    )
    database.close()


def test_the_start_command_serves_a_real_label_studio(
    label_studio: LabelStudio, settings: dict[str, str], tmp_path: Path
) -> None:
    with running_plugin(tmp_path, settings) as url:
        number = label_studio.call(
            "POST", "/api/projects", {"title": "Started by label-studio-ml", "label_config": CONFIG}
        )["id"]
        imported = [{"text": text} for text in TEXTS]
        label_studio.call("POST", f"/api/projects/{number}/import", imported)
        # what Settings > Model does
        made = label_studio.call(
            "POST", "/api/ml", {"url": url, "project": number, "title": "nerloop"}
        )
        assert made["model_version"] == f"{number}.0"
        found = label_studio.call("GET", f"/api/tasks?project={number}&page_size=10&include=id")
        for task in found["tasks"]:
            opened = label_studio.call("GET", f"/api/tasks/{task['id']}")
            assert [row["model_version"] for row in opened["predictions"]] == [f"{number}.0"]
            assert 0 <= opened["predictions"][0]["score"] <= 1
            for item in opened["predictions"][0]["result"]:
                value = item["value"]
                assert opened["data"]["text"][value["start"] : value["end"]] == value["text"]
        first = found["tasks"][0]["id"]
        label_studio.call("POST", f"/api/tasks/{first}/annotations/", {"result": []})
        until(
            "the webhook",
            lambda: (number, ["ANNOTATION_CREATED"]) in seen(settings) or None,
            10,
        )
        label_studio.call("POST", f"/api/ml/{made['id']}/train", {})  # the button
        until("the request to train", lambda: asked(settings, number), 10)


def test_the_class_works_under_1_0_9_itself(settings: dict[str, str], tmp_path: Path) -> None:
    python = plugin_environment() / "bin" / "python"
    number, uid = 77, "77.1700000000"
    introduce(settings, uid)
    event = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": 5, "task": 1, "updated_at": "2026-01-01T00:00:00Z", "result": []},
        "task": {"id": 1},
        "project": {"id": number, "created_at": "2023-11-14T22:13:20Z", "label_config": CONFIG},
    }
    body = {
        "folder": str(tmp_path),
        "calls": [
            ["/setup", {"project": uid, "schema": CONFIG, "hostname": "x"}],
            [
                "/predict",
                {
                    "tasks": [
                        {"id": i, "project": number, "data": {"text": text}}
                        for i, text in enumerate(TEXTS)
                    ],
                    "project": uid,
                    "label_config": CONFIG,
                    "params": {"login": None, "password": None, "context": None},
                },
            ],
            ["/webhook", event],
        ],
    }
    script = tmp_path / "serve.py"
    script.write_text(CLASS_UNDER_1_0_9)
    done = subprocess.run(
        [str(python), str(script)],
        input=json.dumps(body),
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    health, setup, predict, webhook = json.loads(done.stdout)
    assert health == 200
    assert setup[0] == 200
    assert predict[0] == 200
    assert [item["model_version"] for item in predict[1]["results"]] == [f"{number}.0"] * len(TEXTS)
    assert webhook[0] == 201
    assert (number, ["ANNOTATION_CREATED"]) in seen(settings)
