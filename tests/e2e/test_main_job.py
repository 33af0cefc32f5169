"""The main job in one walk for either method: pre-annotate, label, train, promote, roll back."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from admin_walk import compare_and_promote, roll_back
from admin_walk import log_in as enter
from backend.demo.texts import demo_gold, demo_label_config
from backend.labelstudio.label_config import span_control
from backend.labelstudio.results import drawn_regions
from backend.launch.first_admin import FILE
from backend.launch.secrets import DEMO_ADMIN
from demo_process import Demo
from loop_processes import until
from model.evaluation.metrics import Scores, score
from model.registry import predictions, projects, runs, versions
from model.registry.session import Database
from model.registry.tables import Task
from model.spans import AnnotatedText, Prediction

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

SEED = 11
ANNOTATED, HELD_OUT_ANNOTATED, SCORED = 24, 6, 60
FAST_TASKS, FAST_SCORED = 130, 40
SCREENSHOTS = "NERLOOP_SCREENSHOTS"


class Registry:
    """What the test reads behind the scenes: arms and stored predictions."""

    def __init__(self, demo: Demo) -> None:
        self._database = Database(f"sqlite:///{demo.home / 'nerloop.db'}")
        with self._database.read() as session:
            self.project = projects.by_label_studio(session, demo.project).id

    def tasks(self) -> dict[int, Task]:
        """Label Studio's task id -> row."""
        with self._database.read() as session:
            rows = session.query(Task).filter(Task.project_id == self.project).all()
        return {row.task_id: row for row in rows}

    def predicted(self, number: int, task_refs: Sequence[int]) -> list[Prediction] | None:
        """The version's stored predictions of these tasks; None until all are there."""
        with self._database.read() as session:
            version = versions.row(session, self.project, number)
            found = [predictions.of_task(session, version.id, ref) for ref in task_refs]
        whole = [item for item in found if item is not None]
        return whole if len(whole) == len(found) else None

    def has(self, number: int) -> bool:
        """Whether the version is published."""
        with self._database.read() as session:
            return any(v.number == number for v in versions.versions(session, self.project))

    def settled(self) -> int | None:
        """The newest version's number once everything read is trained on; None before."""
        with self._database.read() as session:
            row = projects.by_id(session, self.project)
            ended = all(r.ended_at is not None for r in runs.recent(session, self.project))
            newest = max(v.number for v in versions.versions(session, self.project))
            return newest if ended and row.dirty_seq == row.clean_seq and newest > 0 else None

    def close(self) -> None:
        self._database.close()


def log_in(browser: Browser, demo: Demo) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{demo.url}/user/login/")
    page.fill("#email", demo.user)
    page.fill("#password", demo.password)
    page.click("button[type=submit]")
    page.wait_for_function("!location.pathname.startsWith('/user/login')")
    return page


def admin_page(browser: Browser, demo: Demo) -> Page:
    """The admin pages with the demo's own admin logged in."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    password = (demo.home / "secrets" / FILE).read_text("utf-8").strip()
    enter(page, demo.backend, DEMO_ADMIN, password)
    return page


def shown_versions(demo: Demo) -> set[str]:
    """The versions of the predictions that come with the next task."""
    task = demo.api("GET", f"/api/projects/{demo.project}/next")
    return {item["model_version"] for item in task["predictions"]}


def pointer(demo: Demo) -> str:
    return str(demo.api("GET", f"/api/projects/{demo.project}")["model_version"])


def test_the_main_job(
    demo: Demo, browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(demo)
    try:
        told = walk(demo, browser, registry, tmp_path)
    finally:
        registry.close()
    with capsys.disabled():
        print(f"\n{told}")


def walk(demo: Demo, browser: Browser, registry: Registry, tmp_path: Path) -> str:
    """The whole walk; returns both scores in words."""
    control = span_control(demo_label_config())
    gold = {item.text: item for item in demo_gold()}
    listed = demo.api("GET", f"/api/tasks?project={demo.project}&page_size=1000&fields=all")[
        "tasks"
    ]
    texts = {task["id"]: str(task["data"]["text"]) for task in listed}
    assert len(texts) >= 200
    rows = until("the first pass", lambda: all_known(registry, texts), 60)

    rest = sorted(number for number, row in rows.items() if row.arm != "held-out")
    blind = sorted(number for number, row in rows.items() if row.arm == "held-out")
    random.Random(SEED).shuffle(rest)
    annotated, scored = rest[:ANNOTATED], rest[ANNOTATED : ANNOTATED + SCORED]
    opened = next(n for n in rest[ANNOTATED + SCORED :] if len(gold[texts[n]].spans) >= 4)

    # version 0 pre-annotates, in the browser too, and a held-out task stays blind
    zero = f"{demo.project}.0"
    until("the pointer to version 0", lambda: pointer(demo) == zero, 300)
    screenshot(browser, demo, opened, tmp_path)
    empty = demo.api("GET", f"/api/tasks/{blind[0]}")["predictions"]
    assert [item["result"] for item in empty] == [[]]

    # people label; a run starts and ends by itself
    for number in [*annotated, *blind[:HELD_OUT_ANNOTATED]]:
        body = {"result": drawn_regions(control, gold[texts[number]]), "lead_time": 9.5}
        demo.api("POST", f"/api/tasks/{number}/annotations", json=body)
    until("version 1", lambda: registry.has(1), 300, 2.0)
    made = version(demo, 1)
    assert made["state"] == "candidate"
    assert made["texts"] <= ANNOTATED
    assert made["documents"] == HELD_OUT_ANNOTATED
    assert shown_versions(demo) == {zero}
    until("the news", lambda: any("version 1" in line.lower() for line in demo.lines), 20)

    # an admin compares and promotes in the browser; the annotator's next task shows it
    page = admin_page(browser, demo)
    compare_and_promote(page, demo.backend, demo.project, 1, "the end-to-end test likes it")
    one = f"{demo.project}.1"
    until("the pointer to version 1", lambda: pointer(demo) == one, 300)
    assert shown_versions(demo) == {one}

    # and it is better on texts nobody annotated
    refs = [rows[number].id for number in scored]
    truth = [gold[texts[number]] for number in scored]
    before = f1_of(until("version 0's predictions", lambda: registry.predicted(0, refs), 60), truth)
    after = f1_of(until("version 1's predictions", lambda: registry.predicted(1, refs), 60), truth)
    told = (
        f"F1 on {SCORED} never annotated demo texts (seed {SEED}, {made['texts']} texts and "
        f"{made['shots']} shots annotated): version 0 {before.micro.f1:.3f}, "
        f"version 1 {after.micro.f1:.3f}"
    )
    assert after.micro.f1 > before.micro.f1

    # and back
    roll_back(page, demo.backend, demo.project, 0, "to see that it works")
    page.close()
    until("the pointer back to version 0", lambda: pointer(demo) == zero, 60)
    assert shown_versions(demo) == {zero}

    # the demo's own gold by command, and how soon an annotator sees a promotion
    assert "Annotated 3 texts" in nerloop(demo, "demo-annotate", "--held-out", "--texts", "3")
    timed = nerloop(demo, "bench", "promotion", "--repeats", "2")
    assert shown_versions(demo) == {zero}
    return f"{told}\n{timed}"


def test_a_project_with_the_label_aware_method(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = replace(demo, project=connected_project(demo, "label_aware", tmp_path))
    before = pointer(demo)
    registry = Registry(second)
    try:
        told = fast_walk(second, registry)
    finally:
        registry.close()
    assert pointer(demo) == before  # the other project goes on with its own method
    with capsys.disabled():
        print(f"\n{told}")


def connected_project(demo: Demo, method: str, tmp_path: Path) -> int:
    """A new project with the demo's texts, connected by the command a person would type."""
    body = {"title": f"By {method}", "label_config": demo_label_config()}
    number = int(demo.api("POST", "/api/projects", json=body)["id"])
    tasks = [{"text": item.text} for item in demo_gold()[:FAST_TASKS]]
    demo.api("POST", f"/api/projects/{number}/import", json=tasks)
    token = tmp_path / "token"
    token.write_text(demo.token)
    options = ["--url", demo.url, "--token-file", str(token), "--method", method]
    said = demo.cli("connect", "--project", str(number), *options)
    assert f"method: {method}" in said
    return number


def fast_walk(demo: Demo, registry: Registry) -> str:
    """Label, train, promote with the encoder; returns both scores in words."""
    control = span_control(demo_label_config())
    gold = {item.text: item for item in demo_gold()}
    listed = demo.api("GET", f"/api/tasks?project={demo.project}&page_size=1000&fields=all")
    texts = {task["id"]: str(task["data"]["text"]) for task in listed["tasks"]}
    rows = until("the first pass", lambda: all_known(registry, texts), 60)
    zero = f"{demo.project}.0"
    until("the pointer to version 0", lambda: pointer(demo) == zero, 300)
    rest = sorted(number for number, row in rows.items() if row.arm != "held-out")
    random.Random(SEED).shuffle(rest)
    annotated, scored = rest[:ANNOTATED], rest[ANNOTATED : ANNOTATED + FAST_SCORED]
    for number in annotated:
        body = {"result": drawn_regions(control, gold[texts[number]]), "lead_time": 9.5}
        demo.api("POST", f"/api/tasks/{number}/annotations", json=body)
    # a run takes seconds, so there may be several versions until the last annotation is in
    newest = until("a version, and nothing left to train", registry.settled, 300, 1.0)
    made = version(demo, newest)
    assert (made["method"], made["state"]) == ("label_aware", "candidate")
    assert made["base_name"] == "minilm-l6"
    nerloop(demo, "promote", str(newest), "--reason", "the encoder was quick")
    promoted = f"{demo.project}.{newest}"
    until("the pointer to the new version", lambda: pointer(demo) == promoted, 300)
    assert shown_versions(demo) == {promoted}

    refs = [rows[number].id for number in scored]
    truth = [gold[texts[number]] for number in scored]
    first = f1_of(until("version 0's predictions", lambda: registry.predicted(0, refs), 60), truth)
    said = until("the new version's predictions", lambda: registry.predicted(newest, refs), 60)
    after = f1_of(said, truth)
    assert after.micro.f1 > first.micro.f1
    return (
        f"label_aware: F1 on {FAST_SCORED} never annotated demo texts (seed {SEED}, "
        f"{made['texts']} texts and {made['shots']} shots annotated): version 0 "
        f"{first.micro.f1:.3f}, version {newest} {after.micro.f1:.3f}, trained in "
        f"{made['report'].get('seconds', '?')} s"
    )


def nerloop(demo: Demo, *arguments: str) -> str:
    """A command about this project; its standard output."""
    return demo.cli(*arguments, "--project", str(demo.project))


def all_known(registry: Registry, texts: dict[int, str]) -> dict[int, Task] | None:
    rows = registry.tasks()
    return rows if rows.keys() == texts.keys() else None


def version(demo: Demo, number: int) -> dict[str, Any]:
    listed = json.loads(nerloop(demo, "versions", "list", "--json"))
    return next(dict(item) for item in listed if item["number"] == number)


def f1_of(said: Sequence[Prediction], truth: Sequence[AnnotatedText]) -> Scores:
    return score(
        [item.text for item in truth],
        [item.spans for item in truth],
        [item.spans for item in said],
    )


def screenshot(browser: Browser, demo: Demo, task: int, tmp_path: Path) -> None:
    """Open a task as an annotator does; its spans must be drawn."""
    page = log_in(browser, demo)
    page.goto(f"{demo.url}/projects/{demo.project}/data?task={task}")
    page.wait_for_selector("[class*=htx-highlight]", timeout=60_000)
    assert page.locator("[class*=htx-highlight]").count() >= 1
    page.wait_for_timeout(1000)
    folder = Path(os.environ.get(SCREENSHOTS) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "pre-annotated.png")
    page.close()
