"""What Label Studio told us: projects, tasks, texts, annotation revisions and the inbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from model.registry.base import Base, utc_now


class Project(Base):
    """A Label Studio project, known by its uid ``<id>.<unix time of creation>``."""

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    url: Mapped[str] = mapped_column(String(500))
    ls_id: Mapped[int]
    title: Mapped[str] = mapped_column(String(500), default="")
    method: Mapped[str] = mapped_column(String(40))
    label_config: Mapped[str] = mapped_column(Text)
    label_set: Mapped[list[Any]]
    config_error: Mapped[str | None] = mapped_column(Text)
    connection_error: Mapped[str | None] = mapped_column(Text)
    connected: Mapped[bool] = mapped_column(default=False)
    salt: Mapped[str] = mapped_column(String(64))
    held_out_share: Mapped[float]
    dirty_seq: Mapped[int] = mapped_column(default=0)
    clean_seq: Mapped[int] = mapped_column(default=0)
    pass_no: Mapped[int] = mapped_column(default=0)
    cursor: Mapped[str | None] = mapped_column(String(64))
    paused: Mapped[bool] = mapped_column(default=False)
    policy: Mapped[str] = mapped_column(String(20), default="manual")
    pointer_seen: Mapped[str | None] = mapped_column(String(200))
    pointer_wanted: Mapped[str | None] = mapped_column(String(200))
    gone_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Lane(Base):
    """One (project, method): its own fingerprint, trigger and runs."""

    __tablename__ = "lanes"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    method: Mapped[str] = mapped_column(String(40), primary_key=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    tried_fingerprint: Mapped[str | None] = mapped_column(String(64))
    seen_fingerprint: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[datetime | None]
    asked: Mapped[bool] = mapped_column(default=False)
    decision: Mapped[str | None] = mapped_column(Text)


class FeedbackEvent(Base):
    """One received webhook: a hint and a witness, never a source of truth."""

    __tablename__ = "feedback_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    dedupe_key: Mapped[str] = mapped_column(String(64), unique=True)
    action: Mapped[str] = mapped_column(String(64))
    annotation_id: Mapped[int | None]
    task_id: Mapped[int | None]
    received_at: Mapped[datetime] = mapped_column(default=utc_now)


class StoredText(Base):
    """A text, kept for retraining, under the digest of its content."""

    __tablename__ = "texts"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class Task(Base):
    """A task; Label Studio reuses task ids on SQLite, so its creation time belongs to the key."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("project_id", "task_id", "ls_created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    task_id: Mapped[int]
    ls_created_at: Mapped[str] = mapped_column(String(64))
    arm: Mapped[str] = mapped_column(String(10))
    text_digest: Mapped[str] = mapped_column(ForeignKey("texts.digest"), index=True)
    annotated: Mapped[bool] = mapped_column(default=False)
    unusable: Mapped[str | None] = mapped_column(Text)
    rank: Mapped[float | None]
    gone_at: Mapped[datetime | None]


class AnnotationRevision(Base):
    """One content an annotation ever had; append-only.

    ``kind`` is ``gold``, ``skipped``, ``machine`` (a copy of a prediction that nobody read) or
    ``unusable`` (offsets that do not give back their text). ``spans`` is ``[[start, end, label]]``.
    """

    __tablename__ = "annotation_revisions"
    __table_args__ = (
        UniqueConstraint("project_id", "annotation_id", "updated_at", "content_digest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    annotation_id: Mapped[int]
    task_ref: Mapped[int] = mapped_column(ForeignKey("tasks.id"), index=True)
    updated_at: Mapped[str] = mapped_column(String(64))
    content_digest: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(10))
    ground_truth: Mapped[bool] = mapped_column(default=False)
    spans: Mapped[list[Any]]
    reason: Mapped[str | None] = mapped_column(Text)
    first_seen: Mapped[datetime] = mapped_column(default=utc_now)


class AnnotationHead(Base):
    """Our pointer to an annotation's current revision; ``gone_at`` is a tombstone."""

    __tablename__ = "annotation_heads"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    annotation_id: Mapped[int] = mapped_column(primary_key=True)
    task_ref: Mapped[int] = mapped_column(ForeignKey("tasks.id"), index=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("annotation_revisions.id"))
    gone_at: Mapped[datetime | None]


Index("ix_feedback_events_told", FeedbackEvent.project_id, FeedbackEvent.annotation_id)
Index("ix_tasks_open", Task.project_id, Task.annotated, Task.gone_at)
