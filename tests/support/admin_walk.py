"""What an admin does in the browser, step by step; for the pages alone and for the whole demo."""

from __future__ import annotations

from playwright.sync_api import Dialog, Page


def watched(page: Page) -> list[str]:
    """Everything a page should never do: dialogs, errors, refused loads; filled as it happens."""
    found: list[str] = []

    def dialog(shown: Dialog) -> None:
        found.append(f"a dialog on {page.url}")
        shown.dismiss()

    page.on("dialog", dialog)
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda line: found.append(f"{page.url}: {line.text}") if line.type == "error" else None,
    )
    return found


def log_in(page: Page, url: str, name: str, password: str) -> None:
    """Log in and arrive at the projects."""
    page.goto(f"{url}/admin")
    page.fill("#name", name)
    page.fill("#password", password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/admin")
    page.get_by_role("heading", name="Projects").wait_for()


def compare_and_promote(page: Page, url: str, project: int, number: int, reason: str) -> None:
    """From the project's page look at what would change, then promote on the version's page."""
    page.goto(f"{url}/admin/projects/{project}")
    page.get_by_role("link", name="See what would change").click()
    page.get_by_role("heading", name="What they were made from").wait_for()
    page.get_by_role("link", name=f"Decide on version {number}").click()
    page.fill("#promote-reason", reason)
    page.get_by_role("button", name=f"Promote version {number}").click()
    page.get_by_text(f"Version {number} is served now.").wait_for()


def roll_back(page: Page, url: str, project: int, number: int, reason: str) -> None:
    """Serve the version again that was served before."""
    page.goto(f"{url}/admin/projects/{project}")
    page.locator("summary").filter(has_text="Roll back to version").click()
    page.fill("#rollback-reason", reason)
    page.get_by_role("button", name=f"Roll back to version {number}").click()
    page.get_by_text(f"Version {number} is served now.").wait_for()
