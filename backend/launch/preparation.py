"""What must be there before any of nerloop's programs can work: base model and tables."""

from __future__ import annotations

from collections.abc import Callable

from backend.launch.steps import Steps
from backend.settings import Settings
from model.registry.session import Database


def prepare(settings: Settings, steps: Steps) -> None:
    """Fetch and verify the base model once, and bring the database's tables up to date.

    Args:
        settings: Which base model, which home, which database.
        steps: Shows the progress.

    Raises:
        BaseModelError: If the base model cannot be had; the message says why.
        RegistryError: If the database cannot be used.
    """
    with steps.step(f"Base model {settings.base}") as detail:
        _ensure_base(settings, detail)
    with steps.step("Database"):
        database = Database(settings.database_url.reveal())
        try:
            database.upgrade()
        finally:
            database.close()


def _ensure_base(settings: Settings, detail: Callable[[str], None]) -> None:
    from model.base.catalogue import ENTRIES
    from model.base.fetch import fetch_base
    from model.base.load import base_folder, read_record, without_quantisation

    name, _ = without_quantisation(settings.base)
    if name not in ENTRIES:  # a folder of the user's own, which nobody can fetch
        read_record(base_folder(settings.home, settings.base))
        return

    def told(what: str, done: int, total: int) -> None:
        detail(f"{what} ({done} of {total})" if total > 1 else what)

    fetch_base(settings.home, name, on_progress=told)
