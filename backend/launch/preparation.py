"""What must be there before any of nerloop's programs can work: base models and tables."""

from __future__ import annotations

from pathlib import Path

from backend.launch.steps import Steps
from backend.settings import Settings
from model.errors import BaseModelError
from model.lanes import LANES
from model.registry.session import Database


def prepare(settings: Settings, steps: Steps) -> None:
    """Fetch and verify the base models once, and bring the database's tables up to date.

    A base model that only other methods than the default one need may be missing: that is said, and
    everything else works.

    Args:
        settings: Which base models, which home, which database.
        steps: Shows the progress.

    Raises:
        BaseModelError: If the default method's base model cannot be had; the message says why.
        RegistryError: If the database cannot be used.
    """
    for method in LANES:
        try:
            _ensure_base(settings.home, settings.base_of(method), steps)
        except BaseModelError as error:
            if method == settings.method:
                raise
            steps.say(f"  {error}")
            steps.say(f"  Projects that use the method {method} cannot work until it is there.")
    with steps.step("Database"):
        database = Database(settings.database_url.reveal())
        try:
            database.upgrade()
        finally:
            database.close()


def _ensure_base(home: Path, base: str, steps: Steps) -> None:
    from model.base.catalogue import ENTRIES
    from model.base.fetch import fetch_base
    from model.base.load import base_folder, read_record, without_quantisation

    name, _ = without_quantisation(base)
    with steps.step(f"Base model {base}") as detail:
        if name not in ENTRIES:  # a folder of the user's own, which nobody can fetch
            read_record(base_folder(home, base))
            return

        def told(what: str, done: int, total: int) -> None:
            detail(f"{what} ({done} of {total})" if total > 1 else what)

        fetch_base(home, name, on_progress=told)
