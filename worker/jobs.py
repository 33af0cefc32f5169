"""What RQ calls: ids in, nothing out, safe to deliver twice."""

from __future__ import annotations

from worker.context import current


def train(run_id: int) -> None:
    """Work on a training run, if it still is to be had."""
    from worker.training import train_run

    train_run(current(), run_id)


def predict(version_id: int) -> None:
    """Fill a version's window of predictions."""
    from worker.prediction import predict_window

    predict_window(current(), version_id)
