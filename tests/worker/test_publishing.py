"""A registry that is busy or away for a moment does not cost a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.registry import versions
from model.registry.errors import FenceLostError, RegistryBusyError, RegistryUnavailableError
from model.registry.runs import Claim
from model.registry.tables_versions import AdapterVersion
from model.registry.versions import Publication
from model.spans import Label, LabelSet
from worker import training
from worker.context import Context
from worker.settings import WorkerSettings

CLAIM = Claim(1, 1, "cllmfs", 1, 1, 0, (), LabelSet((Label("A"),)), ())
VERSION = AdapterVersion(number=1)
MADE = Publication("c" * 64, "tiny", "b" * 64, {}, {})


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(
        WorkerSettings.from_environ(
            {"NERLOOP_HOME": str(tmp_path / "home"), "NERLOOP_TIME_SCALE": "0.001"}
        )
    )


def answers(monkeypatch: pytest.MonkeyPatch, *given: Exception | AdapterVersion) -> list[int]:
    """Let the publishing commit give these answers in turn; counts the calls."""
    waiting, calls = list(given), [0]

    def publish(*arguments: Any) -> AdapterVersion:
        calls[0] += 1
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(versions, "publish", publish)
    return calls


def test_a_short_trouble_is_waited_out(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, RegistryBusyError(), RegistryUnavailableError(), VERSION)
    assert training._publish(context, CLAIM, MADE) is VERSION
    assert calls == [3]


def test_a_long_trouble_is_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, *[RegistryBusyError() for _ in range(5)])
    with pytest.raises(RegistryBusyError):
        training._publish(context, CLAIM, MADE)
    assert calls == [5]


def test_a_lost_fence_is_not_tried_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, FenceLostError())
    with pytest.raises(FenceLostError):
        training._publish(context, CLAIM, MADE)
    assert calls == [1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "memory"),
        (OSError(28, "No space left on device"), "storage"),
        (ValueError("what"), "bug"),
    ],
)
def test_failures_have_kinds(error: Exception, kind: str) -> None:
    assert training.failure_kind(error) == kind
