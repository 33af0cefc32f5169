"""make and .ci/run: every target explains itself, and tests come last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("no make here")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    clean.pop("NERLOOP_DATA", None)
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[0].split()
    shown = make("help")
    for target in phony:
        assert f"  make {target} " in shown
    assert make() == shown  # and it is what plain `make` says


def test_make_test_checks_first_and_ends_with_pytest() -> None:
    lines = [
        line for line in make("-n", "test").splitlines() if "/bin/" in line or "pytest" in line
    ]
    tools = ["ruff format --check", "ruff check", "mypy", "lint-imports", "mkdocs build --strict"]
    places = [next(i for i, line in enumerate(lines) if tool in line) for tool in tools]
    assert places == sorted(places)
    assert '-m "not gpu and not soak"' in lines[-1]


def test_ci_calls_make_test_last_and_asks_nothing() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    assert "set -euo pipefail" in text
    assert text.strip().splitlines()[-1].startswith("make test")
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    for line in text.splitlines():
        if "apt-get install" in line and "echo" not in line:
            assert " -y " in line
            assert "</dev/null" in line


def test_the_workflow_runs_the_same_script() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    assert any(step.get("run") == ".ci/run" for step in steps)
