"""What the admin API answers about projects, versions and decisions, as messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from model.registry.verdicts import VerdictView


class Answer(BaseModel):
    """A message to the caller."""

    model_config = ConfigDict(frozen=True)


class ErrorAnswer(Answer):
    """Why a request was refused, in one sentence, and what to do about it."""

    error: str
    fix: str | None = None


class ConflictAnswer(ErrorAnswer):
    """Somebody decided first: what is served now, and under which revision to decide anew."""

    served: int | None = None
    revision: int | None = None


class ProjectAnswer(Answer):
    """A project; ``pointer_drift`` means somebody chose another version in Label Studio."""

    project: int
    uid: str
    title: str
    url: str
    connected: bool
    connection_error: str | None
    config_error: str | None
    prediction_error: str | None
    labels: list[str]
    served: int
    served_name: str
    revision: int
    candidate: int | None
    previous: int | None
    policy: str
    paused: bool
    held_out_share: float
    pointer: str | None
    pointer_drift: bool
    unread_changes: bool


class VersionLine(Answer):
    """A version's line in a list."""

    number: int
    name: str
    state: str
    method: str
    shots: int
    texts: int
    f1: float | None
    documents: int
    trigger: str
    created_at: datetime
    pinned: bool = False
    archived_at: datetime | None = None
    archived_reason: str | None = None
    condemned_at: datetime | None = None
    condemned_reason: str | None = None
    deleted_at: datetime | None = None
    verdict: VerdictView | None = None


class VersionAnswer(VersionLine):
    """A version with what it was made from."""

    run: int | None
    artifact_digest: str
    snapshot_digest: str | None
    base: str
    base_digest: str
    seed: int
    config: dict[str, Any]
    report: dict[str, Any]
    verdicts: list[VerdictView] = []


class MarkAnswer(Answer):
    """What may change about a version that itself never changes."""

    project: int
    number: int
    pinned: bool
    archived_at: datetime | None
    archived_reason: str | None
    condemned_at: datetime | None
    condemned_reason: str | None
    deleted_at: datetime | None
    dry_run: bool = False


class SoundAnswer(Answer):
    """Whether a version's files are what its digest says, hashed at this moment."""

    number: int
    digest: str
    sound: bool
    error: str | None = None


class MoveAnswer(Answer):
    """What a promotion or a roll-back came to, or would come to.

    ``override`` means that the gate's last word on the version, ``verdict``, was not PROMOTE.
    """

    project: int
    from_: int = Field(serialization_alias="from")
    to: int
    name: str
    revision: int
    verdict: str | None
    override: bool
    dry_run: bool = False


class ChangeLine(Answer):
    """One line of the audit trail; ``override`` means against what the gate had said.

    ``alias`` is what was changed: ``served``, ``candidate``, ``pinned``, ``archived``, ``policy``
    or ``training``. A refused change says why in ``refusal``.
    """

    alias: str
    from_: int | None = Field(serialization_alias="from")
    to: int
    actor: str
    reason: str
    outcome: str
    verdict: str | None
    override: bool
    refusal: str | None
    revision: int
    request_id: str | None
    at: datetime


class AskedAnswer(Answer):
    """A training run is asked for; the courier's next pass requests it."""

    asked: bool


class SwitchAnswer(Answer):
    """How a project is run from now on."""

    project: int
    policy: str
    paused: bool


class RunLineAnswer(Answer):
    """One line of a run's log: a step with its loss, or words."""

    attempt: int
    step: int | None
    loss: float | None
    words: str | None
    at: datetime


class RunAnswer(Answer):
    """A training run."""

    run: int
    method: str
    state: str
    reason: str
    attempt: int
    step: int
    steps: int
    loss: float | None
    outcome: str | None
    failure: str | None
    failure_reason: str | None
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class RunInFullAnswer(RunAnswer):
    """A training run with its log; ``seconds_left`` is known while it trains."""

    seed: int
    version: int | None
    seconds_left: float | None
    lines: list[RunLineAnswer]
