"""The rule that answers "train now?", with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """When a lane trains by itself.

    Attributes:
        min_shots: New shots that suffice, at least 1.
        share: Share of the last snapshot's shots that is needed too, in [0, 1].
        idle_seconds: With fewer new shots: seconds without any change.
    """

    min_shots: int = 5
    share: float = 0.1
    idle_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class LaneState:
    """What the rule looks at.

    Attributes:
        fingerprint: Of the gold as it is now.
        finished: Fingerprints this lane trained or tried already.
        texts: Gold texts that could be trained on.
        spans: Spans in them.
        new_shots: Set difference against the last run's snapshot.
        last_shots: Shots of the last run's snapshot.
        seconds_unchanged: Since the fingerprint last changed.
        waiting: Whether a run of the lane waits already.
        paused: Whether the project is paused.
        asked: Whether a person asked for a run.
    """

    fingerprint: str
    finished: frozenset[str]
    texts: int
    spans: int
    new_shots: int
    last_shots: int
    seconds_unchanged: float
    waiting: bool
    paused: bool
    asked: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and its reason."""

    train: bool
    reason: str


def decide(state: LaneState, settings: TriggerSettings) -> Decision:
    """Train this lane now?

    A manual request may repeat what was tried; nothing else does.
    """
    if state.paused:
        return Decision(False, "the project is paused")
    if state.waiting:
        return Decision(False, "a run is waiting already")
    if state.spans == 0:
        return Decision(False, "no annotated span outside the held-out tasks yet")
    if state.asked:
        return Decision(True, "asked for by a person")
    if state.fingerprint in state.finished:
        return Decision(False, "nothing changed since the last run")
    needed = max(settings.min_shots, round(settings.share * state.last_shots))
    if state.new_shots >= needed:
        return Decision(True, f"{state.new_shots} new shots, {needed} needed")
    if state.new_shots >= 1 and state.seconds_unchanged >= settings.idle_seconds:
        return Decision(True, f"{state.new_shots} new shots and no change for a while")
    return Decision(False, f"{state.new_shots} new shots, {needed} needed")
