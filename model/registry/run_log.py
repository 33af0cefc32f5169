"""The log of a training run: steps with their loss and words, and how long it still takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.registry.base import utc_now
from model.registry.errors import UnknownRunError
from model.registry.tables_admin import RunLine
from model.registry.tables_versions import AdapterVersion, TrainingRun

MOST_WORDS = 2000


def add(
    session: Session,
    run_id: int,
    attempt: int,
    step: int | None = None,
    loss: float | None = None,
    words: str | None = None,
    *,
    at: datetime | None = None,
) -> None:
    """Write one line.

    Args:
        session: An open write transaction.
        run_id: The run.
        attempt: Which attempt at it, from 1.
        step: Optimiser steps done, if the line tells of a step.
        loss: Mean loss of that step, in nats.
        words: What happened, for a person.
        at: When; None means now.
    """
    session.add(
        RunLine(
            run_id=run_id,
            attempt=attempt,
            step=step,
            loss=loss,
            words=None if words is None else words[:MOST_WORDS],
            at=at or utc_now(),
        )
    )


def lines(session: Session, run_id: int) -> Sequence[RunLine]:
    """All lines of a run, oldest first."""
    return session.scalars(
        select(RunLine).where(RunLine.run_id == run_id).order_by(RunLine.id)
    ).all()


def of_project(session: Session, project_id: int, run_id: int) -> TrainingRun:
    """A run of this project.

    Raises:
        UnknownRunError: If the project has no run of that number.
    """
    run = session.get(TrainingRun, run_id)
    if run is None or run.project_id != project_id:
        raise UnknownRunError(
            f"There is no run {run_id} in this project; `nerloop runs list` shows its runs."
        )
    return run


def version_of(session: Session, run_id: int) -> AdapterVersion | None:
    """The version a run made, if it made one."""
    return session.scalar(select(AdapterVersion).where(AdapterVersion.run_id == run_id))


def seconds_left(
    run: TrainingRun, log: Sequence[RunLine], now: datetime | None = None
) -> float | None:
    """How long a running run still takes: the steps that remain at the pace so far.

    Args:
        run: The run.
        log: Its lines, oldest first.
        now: The present time, aware.

    Returns:
        Seconds, or None if it is not running or nothing is known of its pace yet.
    """
    if run.state != "running" or run.started_at is None or not 0 < run.step <= run.steps:
        return None
    # the first step seen tells when steps began: before it, the base model was loaded
    seen = [line for line in log if line.attempt == run.attempt and line.step and line.at]
    first = seen[0] if seen else None
    began, steps = (first.at, run.step - (first.step or 0)) if first else (run.started_at, run.step)
    if steps <= 0:
        began, steps = run.started_at, run.step
    passed = ((now or utc_now()) - began).total_seconds()
    return max(0.0, passed) / steps * (run.steps - run.step)
