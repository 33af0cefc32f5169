"""The admin pages in a browser: an admin decides there, and no text, label or note runs as code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from admin_people import PASSWORD, add_person
from admin_registry import FIRST, SECOND, seed
from admin_site import Site, listening, site
from admin_walk import compare_and_promote, log_in, roll_back, watched
from model.registry import aliases, audit, projects, runs
from xss_payloads import MARK, payloads
from xss_registry import hostile_paths, seed_hostile

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SCREENSHOTS = "NERLOOP_ADMIN_SCREENSHOTS"
"""Names a folder to put screenshots of every page into."""

P1 = f"/admin/projects/{FIRST}"
PAGES = {
    "projects": "/admin",
    "versions": P1,
    "version": f"{P1}/versions/5",
    "compare": f"{P1}/compare",
    "shadow": f"{P1}/shadow",
    "runs": f"{P1}/runs",
    "run": f"{P1}/runs/7",
    "audit": f"{P1}/audit",
    "few": f"/admin/projects/{SECOND}",
}
Scheme = Literal["light", "dark"]
SIZES = ((1280, 800), (390, 844))
ADDED = "script:not([src='/admin/static/live.js']), iframe, object, embed, base, marquee, [onerror]"
"""What a payload would add to a page if it were not escaped."""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A seeded web process and its address."""
    with site(tmp_path_factory.mktemp("site"), seed) as opened, listening(opened.app) as url:
        add_person(opened.registry, "Ada")
        yield opened, url


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web process whose registry is full of payloads."""
    folder = tmp_path_factory.mktemp("hostile")
    with site(folder, seed_hostile) as opened, listening(opened.app) as url:
        add_person(opened.registry, "Ada")
        yield url


def test_an_admin_compares_promotes_and_rolls_back(
    seeded: tuple[Site, str], browser: Browser, tmp_path: Path
) -> None:
    opened, url = seeded
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    troubles = watched(page)
    log_in(page, url, "Ada", PASSWORD)
    compare_and_promote(page, url, FIRST, 5, "better on places, and I read the texts")
    page.screenshot(path=tmp_path / "promoted.png")
    assert served(opened) == 5
    page.goto(url + P1 + "/audit")
    assert page.get_by_text("better on places, and I read the texts").count() == 1
    roll_back(page, url, FIRST, 4, "to see that it works")
    assert served(opened) == 4
    assert page.get_by_text("Version 4 is served now.").is_visible()
    with opened.registry.read() as session:
        first = projects.by_label_studio(session, FIRST)
        newest = audit.history(session, first.id)[:2]
        told = [(row.outcome, row.to_version, row.actor) for row in newest]
    assert told == [("rolled-back", 4, "Ada"), ("promoted", 5, "Ada")]
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/admin/login")
    assert troubles == []
    page.close()


def test_a_lost_race_keeps_what_was_typed(seeded: tuple[Site, str], browser: Browser) -> None:
    opened, url = seeded
    page = browser.new_page()
    log_in(page, url, "Ada", PASSWORD)
    page.goto(url + P1)
    page.fill("#promote-reason", "my long and careful reason")
    promoted_by_bob(opened, 2, "I was quicker")
    page.get_by_role("button", name="Promote", exact=True).click()
    assert page.get_by_role("heading", name="Somebody else was quicker").is_visible()
    assert page.get_by_text("I was quicker").is_visible()
    assert page.input_value("#reason") == "my long and careful reason"
    page.get_by_role("button", name="Try again").click()
    assert served(opened) == 5
    promoted_by_bob(opened, 4, "as it was")
    page.close()


def test_running_numbers_stay_fresh_without_a_reload(
    seeded: tuple[Site, str], browser: Browser
) -> None:
    opened, url = seeded
    page = browser.new_page()
    troubles = watched(page)
    log_in(page, url, "Ada", PASSWORD)
    page.goto(url + P1)
    assert page.get_by_text("step 34 of 60").is_visible()
    moved(opened, 41)
    page.get_by_text("step 41 of 60").wait_for(timeout=20_000)
    moved(opened, 34)
    assert troubles == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_page_fits_and_can_be_used_by_keyboard(
    seeded: tuple[Site, str], browser: Browser, scheme: Scheme, width: int, height: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    troubles = watched(page)
    _, url = seeded
    log_in(page, url, "Ada", PASSWORD)
    for name, path in PAGES.items():
        page.goto(url + path)
        assert page.locator("h1").count() == 1, name
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0, name
        assert page.locator("img").evaluate_all("all => all.every(i => i.naturalWidth > 0)"), name
        keep(page, name, width, scheme)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", name
        unnamed = "input:not([type=hidden]):not([aria-label]), select, textarea"
        assert page.locator(unnamed).evaluate_all("all => all.every(i => i.labels.length > 0)")
    assert troubles == []
    context.close()


def test_a_hundred_payloads_run_nowhere(hostile: str, browser: Browser) -> None:
    """Titles, labels, entity texts, notes, names, reasons and log lines of a whole registry."""
    context = browser.new_context()
    page = context.new_page()
    troubles = watched(page)
    log_in(page, hostile, "Ada", PASSWORD)
    shown = "\n".join(look(page, hostile + path) for path in hostile_paths(FIRST))
    missing = [payload for payload in payloads() if plain(payload) not in plain(shown)]
    assert missing == []
    assert troubles == []
    context.close()


def look(page: Page, address: str) -> str:
    """Open a page, let it settle, and make sure that nothing of it ran; returns what it shows."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.ok, address
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate(f"window.{MARK}") is None, address
    assert page.locator(ADDED).count() == 0, address
    return page.locator("body").inner_text()


def plain(text: str) -> str:
    """Without white space, which a page may break anywhere."""
    return "".join(text.split())


def served(opened: Site) -> int:
    with opened.registry.read() as session:
        first = projects.by_label_studio(session, FIRST)
        return aliases.served(session, first.id).number


def promoted_by_bob(opened: Site, number: int, reason: str) -> None:
    """Somebody else is at work too."""
    with opened.registry.begin() as session:
        first = projects.by_label_studio(session, FIRST)
        aliases.promote(session, first.id, number, actor="Bob", reason=reason)


def moved(opened: Site, step: int) -> None:
    """Let the running run come to a step."""
    with opened.registry.begin() as session:
        first = projects.by_label_studio(session, FIRST)
        run = next(r for r in runs.recent(session, first.id) if r.state == "running")
        run.step = step


def keep(page: Page, name: str, width: int, scheme: str) -> None:
    """Keep a screenshot where somebody wants them."""
    wanted = os.environ.get(SCREENSHOTS)
    if wanted:
        folder = Path(wanted)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
