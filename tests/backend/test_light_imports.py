"""The web process and the courier start without torch; the courier never needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "modules",
    ["backend.app, backend.__main__", "backend.courier.__main__", "backend.courier.rounds"],
)
def test_starting_imports_no_torch(modules: str) -> None:
    code = f"import {modules}, sys; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
