"""Whatever titles, labels, texts, names, notes and logs hold, a page shows it as text."""

from __future__ import annotations

from html import escape, unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from admin_people import add_person, log_in
from admin_registry import FIRST
from admin_site import site
from xss_payloads import payloads
from xss_registry import hostile_paths, seed_hostile


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every page of a registry full of payloads, by path."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with site(folder, seed_hostile) as opened:
        add_person(opened.registry, "Ada")
        client = TestClient(opened.app, raise_server_exceptions=False)
        log_in(client, opened.registry, "Ada")
        answers = {path: client.get(path) for path in hostile_paths(FIRST)}
        client.close()
    assert {path for path, answer in answers.items() if answer.status_code != 200} == set()
    return {path: answer.text for path, answer in answers.items()}


def test_no_payload_is_on_any_page_as_it_is(bodies: dict[str, str]) -> None:
    bad = [payload for payload in payloads() if payload != escape(payload)]
    assert len(bad) > 80
    found = [(path, payload) for path, body in bodies.items() for payload in bad if payload in body]
    assert found == []


def test_every_payload_is_shown_as_text(bodies: dict[str, str]) -> None:
    shown = {path: unescape(body) for path, body in bodies.items()}
    own = f"/admin/projects/{FIRST}"
    # titles; labels, of which each page shows some; notes and names; lines of a log
    for path in ("/admin", f"{own}/audit", f"{own}/runs/7"):
        both = shown[path] + shown.get(f"{path}?page=2", "")
        assert [payload for payload in payloads() if payload not in both] == [], path
    everywhere = "".join(shown.values())
    for path in (f"{own}/compare", f"{own}/versions/5", f"{own}/shadow"):
        assert sum(payload in shown[path] for payload in payloads()) > 20, path
    assert all(payload in everywhere for payload in payloads())
