"""Web processes over one registry: a promotion reaches all, and no answer mixes two versions."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from backend.enrolment import Enrolment
from backend.settings import Settings
from capitals_engine import BASE_DIGEST
from fake_label_studio import CONFIG
from loop_processes import free_port
from model.loop.arms import HELD_OUT, arm_of
from model.registry import aliases
from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from model.registry.tables import Project
from model.registry.tables_versions import AdapterVersion
from web_process import WebProcess

pytestmark = pytest.mark.integration

UID = "1.1700000000"
HEADERS = {"Authorization": "Bearer adm1n-t0ken-of-the-tests"}
MOVES = 100
PROCESSES = 4


@pytest.fixture
def project(registry: Database, enrolment: Enrolment, settings: Settings) -> Project:
    """Versions 0 to 5; the weights of number n say 0.n. Version 0 says so as well."""
    (settings.home / "own-adapter" / "adapter_model.safetensors").write_bytes(b"0.0")
    made = enrolment.enrol(UID, "http://ls", config=CONFIG)
    store = ArtifactStore(settings.artifacts)
    with registry.begin() as session:
        for number in range(1, 6):
            files = {
                "adapter_model.safetensors": f"0.{number}".encode(),
                "adapter_config.json": b"{}",
                "nerloop.json": b"{}",
            }
            session.add(
                AdapterVersion(
                    project_id=made.id,
                    number=number,
                    method="cllmfs",
                    base_name="tiny",
                    base_digest=BASE_DIGEST,
                    artifact_digest=store.put(files),
                    config={},
                    report={},
                )
            )
    return made


@pytest.fixture
def webs(project: Project, home: Path, tmp_path: Path) -> Iterator[list[WebProcess]]:
    environ = {
        "NERLOOP_HOME": str(home),
        "NERLOOP_BASE": str(home / "own-base"),
        "NERLOOP_BASE_ADAPTER": str(home / "own-adapter"),
        "NERLOOP_ADMIN_TOKEN": HEADERS["Authorization"].split()[1],
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    found = [
        WebProcess(environ, free_port(), tmp_path / f"web{number}.log")
        for number in range(PROCESSES)
    ]
    try:
        for web in found:
            web.start()
        for web in found:
            web.wait()
        yield found
    finally:
        for web in found:
            web.stop()
            web.http.close()


@pytest.fixture
def body(project: Project) -> dict[str, Any]:
    """A request for eight tasks, none of them held out."""
    tasks: list[dict[str, Any]] = [
        {"id": number, "data": {"text": f"Ada {number}"}, "created_at": "2026-11-20T07:00:00Z"}
        for number in range(1, 100)
    ]
    share = project.held_out_share
    shown = [t for t in tasks if arm_of(project.salt, t["id"], t["created_at"], share) != HELD_OUT]
    return {"tasks": shown[:8], "project": UID, "label_config": CONFIG}


def move(web: WebProcess, action: str, **body: Any) -> Any:
    answer = web.http.post(
        f"/admin/api/projects/1/{action}", json={"reason": "a test", **body}, headers=HEADERS
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def answered(items: list[dict[str, Any]]) -> int:
    """The one version of an answer; its items name it, and their scores are from its bytes."""
    (name,) = {item["model_version"] for item in items}
    number = int(name.removeprefix("1."))
    assert [item["score"] for item in items] == [number / 10] * 8
    return number


def test_a_promotion_through_one_process_reaches_all_and_outlives_them(
    webs: list[WebProcess], body: dict[str, Any]
) -> None:
    assert [answered(web.predict(body)) for web in webs] == [0] * PROCESSES
    move(webs[0], "promote", number=3)
    promoted = time.monotonic()
    assert [answered(web.predict(body)) for web in webs] == [3] * PROCESSES
    assert time.monotonic() - promoted < 2 * PROCESSES  # the bound of one, for one after another
    for web in webs:
        web.stop()
    for web in webs:
        web.start()
    for web in webs:
        web.wait()
    assert [answered(web.predict(body)) for web in webs] == [3] * PROCESSES
    move(webs[1], "rollback")
    assert [answered(web.predict(body)) for web in webs] == [0] * PROCESSES


def test_a_hundred_moves_under_predictions_give_whole_answers_of_one_version(
    webs: list[WebProcess], body: dict[str, Any], registry: Database, project: Project
) -> None:
    done, choose = Event(), random.Random(5)

    def keep_asking(first: int) -> list[int]:
        seen: list[int] = []
        while not done.is_set():
            seen.append(answered(webs[(first + len(seen)) % PROCESSES].predict(body)))
        return seen

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(keep_asking, number) for number in range(3)]
        try:
            now = 0
            for number in range(MOVES):
                web = webs[number % PROCESSES]
                if number % 3 == 2:
                    now = move(web, "rollback")["to"]
                else:
                    wanted = choose.choice([n for n in range(6) if n != now])
                    now = move(web, "promote", number=wanted)["to"]
                assert answered(web.predict(body)) == now
        finally:
            done.set()
        seen = [number for answers in asking for number in answers.result()]
    assert len(seen) >= MOVES / 2
    assert set(seen) == set(range(6))
    with registry.read() as session:
        audit = [item for item in aliases.history(session, project.id) if item.alias == "served"]
        assert aliases.served(session, project.id).number == now
    assert [item.outcome for item in audit].count("refused") == 0
    assert len(audit) == MOVES
