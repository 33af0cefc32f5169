"""With CI=true a test of a service tier that skips itself fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_rules import must_not_skip

TESTS = Path(__file__).parents[1]
SKIPPING = """
import pytest

@pytest.mark.e2e
def test_far():
    pytest.skip("no browser here")

@pytest.mark.gpu
def test_chip():
    pytest.skip("no chip here")

def test_near():
    pytest.skip("no data here")
"""


@pytest.mark.parametrize(
    ("marks", "ci", "expected"),
    [
        (["e2e"], "true", True),
        (["timeout", "integration"], "True", True),
        (["gpu"], "true", False),
        ([], "true", False),
        (["e2e"], "false", False),
        (["e2e"], "", False),
    ],
)
def test_the_rule(marks: list[str], ci: str, expected: bool) -> None:
    assert must_not_skip(marks, {"CI": ci}) is expected
    assert not must_not_skip(marks, {})


@pytest.mark.parametrize(("ci", "failed", "skipped"), [("true", 1, 2), ("", 0, 3)])
def test_the_rule_at_work(tmp_path: Path, ci: str, failed: int, skipped: int) -> None:
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text("utf-8"))
    (tmp_path / "test_it.py").write_text(SKIPPING)
    settings = TESTS.parent / "pyproject.toml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        str(settings),
        "--rootdir",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "CI": ci, "PYTHONPATH": str(TESTS / "support")},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = done.stdout.splitlines()[-1]
    assert (f"{failed} failed" in summary) is bool(failed), done.stdout
    assert f"{skipped} skipped" in summary
    assert ("skipped, which CI=true does not allow" in done.stdout) is bool(failed)
