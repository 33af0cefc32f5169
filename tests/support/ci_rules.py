"""The rule for CI machines: what cannot run there is a failure, not a silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MUST_RUN = frozenset({"integration", "e2e"})


def must_not_skip(marks: Iterable[str], environ: Mapping[str, str]) -> bool:
    """Whether ``CI=true`` makes skipping a test with these marks a failure."""
    return environ.get("CI", "").lower() == "true" and not MUST_RUN.isdisjoint(marks)
