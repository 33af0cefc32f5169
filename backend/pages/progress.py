"""Training runs as pages show them: how far, how long still, what the log says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from model.registry.run_log import seconds_left
from model.registry.tables_admin import RunLine
from model.registry.tables_versions import TrainingRun

SHOWN_LINES = 400
"""Lines of a log on a page; the newest."""

WORDS = {
    "requested": ("waiting", "quiet"),
    "running": ("running", "info"),
    "succeeded": ("succeeded", "good"),
    "failed": ("failed", "bad"),
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log, in words."""

    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A run and how far it is.

    Attributes:
        run: The run.
        word: Its state in a word.
        tone: How that word is coloured: a class of the style sheet.
        share: Steps done, in [0, 1]; None before the number of steps is known.
        left: Seconds it still takes; None if it is not running or nobody knows.
        took: Seconds from its beginning to its end, or until now.
        live: Whether it may still change.
        log: The newest lines, oldest first.
        losses: Steps with their loss in nats, of the present attempt.
    """

    run: TrainingRun
    word: str
    tone: str
    share: float | None
    left: float | None
    took: float | None
    live: bool
    log: tuple[LogLine, ...] = ()
    losses: tuple[tuple[int, float], ...] = ()


def progress(run: TrainingRun, lines: Sequence[RunLine], now: datetime) -> Progress:
    """How far a run is.

    Args:
        run: The run.
        lines: Its log, oldest first; may be empty.
        now: The present time, aware.
    """
    word, tone = WORDS.get(run.state, (run.state, "quiet"))
    if run.state == "running" and run.revoked:
        word, tone = "taken over", "wait"
    ended = run.ended_at or now
    own = [line for line in lines if line.attempt == run.attempt]
    return Progress(
        run=run,
        word=word,
        tone=tone,
        share=min(1.0, run.step / run.steps) if run.steps else None,
        left=seconds_left(run, lines, now),
        took=(ended - run.started_at).total_seconds() if run.started_at else None,
        live=run.state in ("requested", "running"),
        log=tuple(LogLine(line.at, _words(line)) for line in lines[-SHOWN_LINES:]),
        losses=tuple(
            (line.step, line.loss)
            for line in own
            if line.step is not None and line.loss is not None
        ),
    )


def _words(line: RunLine) -> str:
    found = []
    if line.step is not None:
        found.append(f"step {line.step}")
    if line.loss is not None:
        found.append(f"loss {line.loss:.3f}")
    if line.words:
        found.append(line.words)
    return " · ".join(found)
