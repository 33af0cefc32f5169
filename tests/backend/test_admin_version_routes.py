"""The admin API on a registry with a life behind it: verdicts, comparison, lineage, runs, marks."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from admin_registry import Seeded, seed
from backend.settings import Settings
from model.registry import projects
from model.registry.artifacts import ArtifactStore
from model.registry.session import Database
from model.registry.tables_versions import AdapterVersion
from registry_runs import condemn

HEADERS = {"Authorization": "Bearer adm1n-t0ken-of-the-tests"}
BASE = "/admin/api/projects/1"


@pytest.fixture
def seeded(registry: Database) -> Seeded:
    return seed(registry)


@pytest.fixture
def admin(client: TestClient, seeded: Seeded) -> TestClient:
    client.headers.update(HEADERS)
    return client


def got(admin: TestClient, path: str) -> Any:
    answer = admin.get(f"{BASE}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_version_is_listed_with_its_newest_verdict_and_its_marks(
    admin: TestClient, seeded: Seeded
) -> None:
    lines = {line["number"]: line for line in got(admin, "versions")}
    candidate = lines[seeded.candidate]
    assert (candidate["state"], candidate["verdict"]["verdict"]) == ("candidate", "PROMOTE")
    verdict = candidate["verdict"]
    assert verdict["low"] < verdict["delta"] < verdict["high"]
    assert sum(row["gold"] for row in verdict["label_scores"]) > verdict["documents"]
    assert (lines[0]["verdict"], lines[2]["pinned"]) == (None, True)
    assert lines[3]["archived_reason"] == "the gate: REJECT"
    shown = got(admin, f"versions/{seeded.candidate}")
    assert shown["verdicts"] == [verdict]
    assert [item["candidate"] for item in got(admin, "verdicts")] == [5, 4, 3, 2, 1]
    project = admin.get(BASE).json()
    assert (project["served"], project["previous"]) == (seeded.served, seeded.previous)


def test_two_versions_are_compared(admin: TestClient, seeded: Seeded) -> None:
    told = got(admin, f"compare?first={seeded.served}&second={seeded.candidate}")
    assert (told["first"]["number"], told["second"]["number"]) == (seeded.served, seeded.candidate)
    assert told["documents"] == 48
    assert told["delta"] == pytest.approx(told["second_scores"]["f1"] - told["first_scores"]["f1"])
    changed = told["changed"][0]
    assert changed["kind"] in {"fixed", "broken", "other"}
    assert all(changed["text"][s["start"] : s["end"]].strip() for s in changed["gold"])
    assert told["data"]["second_texts"] == 60
    same = admin.get(f"{BASE}/compare?first=1&second=1")
    assert (same.status_code, "Both are version 1" in same.json()["error"]) == (400, True)
    for query in ("first=1", "first=1&second=x", "first=-1&second=1", f"first={2**40}&second=1"):
        refused = admin.get(f"{BASE}/compare?{query}")
        assert refused.status_code == 422
        assert "query parameter" in refused.json()["error"]


def test_a_versions_lineage_names_every_annotation(admin: TestClient, seeded: Seeded) -> None:
    told = got(admin, f"versions/{seeded.candidate}/lineage")
    assert (len(told["items"]), told["number"]) == (60, seeded.candidate)
    assert told["shots"] == sum(item["spans"] for item in told["items"])
    assert all(item["current"] for item in told["items"])
    assert got(admin, "versions/0/lineage")["items"] == []


def test_a_run_is_shown_with_its_log_and_the_time_it_still_takes(
    admin: TestClient, seeded: Seeded
) -> None:
    told = got(admin, f"runs/{seeded.running}")
    assert (told["state"], told["version"]) == ("running", None)
    assert told["lines"][0]["words"].startswith("a worker took the run")
    assert told["lines"][1]["step"] == 2
    # 32 steps since step 2, some four minutes ago: 26 more take between two and four minutes
    assert 120 < told["seconds_left"] < 240
    newest = got(admin, "runs?limit=2")
    assert [item["state"] for item in newest] == ["running", "failed"]
    done = next(item for item in got(admin, "runs") if item["state"] == "succeeded")
    assert got(admin, f"runs/{done['run']}")["version"] == seeded.candidate
    assert got(admin, f"runs/{done['run']}")["seconds_left"] is None
    foreign = admin.get(f"/admin/api/projects/3/runs/{seeded.running}")
    assert (foreign.status_code, "no run" in foreign.json()["error"]) == (404, True)
    assert admin.get(f"{BASE}/runs?limit=0").status_code == 422


def test_shadow_scores_come_in_three_streams(admin: TestClient, seeded: Seeded) -> None:
    told = got(admin, "shadow?last=20")
    assert {item["stream"] for item in told} == {"held-out", "random", "active"}
    numbers = {item["state"]: item["number"] for item in told}
    assert numbers["served"] == seeded.served
    assert numbers["candidate"] == seeded.candidate
    blind = next(x for x in told if (x["stream"], x["state"]) == ("held-out", "served"))
    assert (blind["documents"], 0 < blind["f1"] < 1) == (20, True)


def test_a_condemned_version_without_its_files_is_not_pinned(
    admin: TestClient, registry: Database
) -> None:
    with registry.read() as session:
        row = projects.by_label_studio(session, 1)
    condemn(registry, row, 1)
    refused = admin.post(f"{BASE}/versions/1/pin", json={"reason": "for the paper"})
    assert (refused.status_code, "version 1 are gone" in refused.text) == (409, True)


def test_pin_and_archive_mark_a_version_with_a_reason(admin: TestClient) -> None:
    body = {"reason": "for the paper", "request_id": "pin-1"}
    first = admin.post(f"{BASE}/versions/1/pin", json=body)
    assert admin.post(f"{BASE}/versions/1/pin", json=body).json() == first.json()
    assert (first.json()["number"], first.json()["pinned"]) == (1, True)
    admin.post(f"{BASE}/versions/1/pin", json={"reason": "printed", "pinned": False})
    archived = admin.post(f"{BASE}/versions/1/archive", json={"reason": "a trial"}).json()
    assert (archived["archived_reason"], archived["pinned"]) == ("a trial", False)
    line = got(admin, "versions")[1]
    assert (line["pinned"], line["archived_reason"]) == (False, "a trial")
    kept = admin.post(f"{BASE}/versions/0/archive", json={"reason": "x"})
    assert (kept.status_code, "base adapter" in kept.json()["error"]) == (409, True)
    trail = got(admin, "audit")[:4]
    assert [(x["alias"], x["outcome"]) for x in trail] == [
        ("archived", "refused"),
        ("archived", "archived"),
        ("pinned", "unpinned"),
        ("pinned", "pinned"),
    ]
    assert trail[0]["refusal"] == kept.json()["error"]


def test_going_against_the_gate_is_called_so(admin: TestClient) -> None:
    told = admin.post(f"{BASE}/promote", json={"number": 3, "reason": "I know better"}).json()
    assert (told["verdict"], told["override"]) == ("REJECT", True)
    assert got(admin, "audit")[0]["override"] is True


def test_a_version_is_verified_on_its_bytes(
    admin: TestClient, registry: Database, seeded: Seeded, settings: Settings
) -> None:
    weights = (2).to_bytes(8, "little") + b"{}"
    files = {"adapter_model.safetensors": weights, "adapter_config.json": b"{}"}
    digest = ArtifactStore(settings.artifacts).put(files | {"nerloop.json": b"{}"})
    with registry.begin() as session:
        version = AdapterVersion(
            project_id=seeded.projects[1],
            number=9,
            method="cllmfs",
            base_name="tiny",
            base_digest="b" * 64,
            artifact_digest=digest,
            config={},
            report={},
        )
        session.add(version)
    told = got(admin, "versions/9/verify")
    assert (told["sound"], told["error"], told["digest"]) == (True, None, digest)
    (settings.artifacts / "sha256" / digest[:2] / digest / "nerloop.json").write_text("{ }")
    told = got(admin, "versions/9/verify")
    assert (told["sound"], "damaged" in told["error"]) == (False, True)
    assert got(admin, "versions/1/verify")["sound"] is False  # its files were never written
