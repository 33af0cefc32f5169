"""The doorbell: what is put on it, and that a silent Redis is only logged."""

from __future__ import annotations

import time
from typing import Any

import pytest

from backend import queue
from backend.secret_values import Secret

NOWHERE = Secret("redis://:hidden-horse@127.0.0.1:1/0")


def test_a_silent_redis_is_false_soon_and_the_password_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun = time.monotonic()
    assert queue.ring_train(NOWHERE, 3, 0, "cllmfs") is False
    assert queue.ring_predict(NOWHERE, 4, 1, "cllmfs") is False
    assert queue.ring_predict(Secret("nonsense"), 4, 1, "cllmfs") is False
    assert time.monotonic() - begun < 3.0
    assert "run-3-0" in caplog.text
    assert "horse" not in caplog.text


def test_jobs_are_named_by_string_and_carry_an_id_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    class Recorder:
        def __init__(self, name: str, *, connection: Any, serializer: Any) -> None:
            self.name, self.serializer = name, serializer.__name__

        def enqueue(self, *args: Any, **options: Any) -> None:
            rung.append((f"{self.name}:{self.serializer}", args, options))

    monkeypatch.setattr(queue, "Queue", Recorder)
    assert queue.ring_train(NOWHERE, 3, 2, "cllmfs")
    assert queue.ring_predict(NOWHERE, 4, 1, "label_aware")
    (train_queue, train, train_options), (predict_queue, predict, predict_options) = rung
    assert (train_queue, train) == ("slow:JSONSerializer", ("worker.jobs.train", 3))
    assert (predict_queue, predict) == ("fast:JSONSerializer", ("worker.jobs.predict", 4))
    assert train_options["job_id"] == "run-3-2"
    assert predict_options["job_id"] == "predict-4-1"
    assert train_options["job_timeout"] == -1
    assert "retry" not in train_options
