"""What we made of it: snapshots, runs, adapter versions, aliases, their audit, predictions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from model.registry.base import Base, utc_now


class Snapshot(Base):
    """The frozen annotations of a run, under their digest."""

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("project_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    digest: Mapped[str] = mapped_column(String(64))
    label_set: Mapped[list[Any]]
    shots: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class SnapshotItem(Base):
    """One task's gold in a snapshot: which revision, which text."""

    __tablename__ = "snapshot_items"

    snapshot_id: Mapped[int] = mapped_column(ForeignKey("snapshots.id"), primary_key=True)
    task_ref: Mapped[int] = mapped_column(ForeignKey("tasks.id"), primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("annotation_revisions.id"))
    text_digest: Mapped[str] = mapped_column(ForeignKey("texts.digest"))


class TrainingRun(Base):
    """A run: ``requested`` -> ``running`` -> ``succeeded`` or ``failed``; the row is the job."""

    __tablename__ = "training_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    method: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshots.id"))
    seed: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    beat: Mapped[int] = mapped_column(default=0)
    revoked: Mapped[bool] = mapped_column(default=False)
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    loss: Mapped[float | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    failure_kind: Mapped[str | None] = mapped_column(String(20))
    failure_reason: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


for _state in ("requested", "running"):
    _where = text(f"state = '{_state}'")
    Index(
        f"uq_training_runs_one_{_state}",
        TrainingRun.project_id,
        TrainingRun.method,
        unique=True,
        sqlite_where=_where,
        postgresql_where=_where,
    )


class AdapterVersion(Base):
    """One immutable adapter; number 0 is the shipped base adapter, without run or snapshot."""

    __tablename__ = "adapter_versions"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    number: Mapped[int]
    method: Mapped[str] = mapped_column(String(40))
    base_name: Mapped[str] = mapped_column(String(200))
    base_digest: Mapped[str] = mapped_column(String(64))
    artifact_digest: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("training_runs.id"), unique=True)
    snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshots.id"))
    config: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
    seed: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Evaluation(Base):
    """Counts and answers of one version on one frozen set of held-out documents.

    ``documents`` is ``[[task, true positives, predicted, gold]]``, ``answers`` in the same order
    ``[[text digest, [[start, end, label]] of gold, [[start, end, label, score]] of the answer]]``;
    None for evaluations older than that column.
    """

    __tablename__ = "evaluations"

    version_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"), primary_key=True)
    eval_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    documents: Mapped[list[Any]]
    answers: Mapped[list[Any] | None]
    true_positives: Mapped[int]
    predicted: Mapped[int]
    gold: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Alias(Base):
    """A movable name. One ``served`` per project (lane ``""``), one ``candidate`` per lane."""

    __tablename__ = "aliases"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    lane: Mapped[str] = mapped_column(String(40), primary_key=True, default="")
    version_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"))
    revision: Mapped[int] = mapped_column(default=0)


class AliasChange(Base):
    """The audit of alias moves and marks, refused ones too; append-only.

    ``alias`` is ``served``, ``candidate``, or for marks ``pinned`` and ``archived``; ``verdict`` is
    what the gate had last said of the version when a person or the policy promoted it. A refused
    change says why in ``refusal``; ``refusal_kind`` is the error's class, raised again for a
    repeated request.
    """

    __tablename__ = "alias_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    alias: Mapped[str] = mapped_column(String(20))
    from_version: Mapped[int | None]
    to_version: Mapped[int]
    actor: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(20))
    verdict: Mapped[str | None] = mapped_column(String(10))
    refusal_kind: Mapped[str | None] = mapped_column(String(40))
    refusal: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(100), index=True)
    revision: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=utc_now)


class PredictionRun(Base):
    """A version's window waits to be predicted, or was; one row per version."""

    __tablename__ = "prediction_runs"

    version_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(10), default="requested")
    attempt: Mapped[int] = mapped_column(default=0)
    failure_reason: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)


class StoredPrediction(Base):
    """What a version says of a task, written before a human answers. ``spans``: with scores."""

    __tablename__ = "predictions"

    version_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"), primary_key=True)
    task_ref: Mapped[int] = mapped_column(ForeignKey("tasks.id"), primary_key=True)
    spans: Mapped[list[Any]]
    score: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    pushed_at: Mapped[datetime | None]
