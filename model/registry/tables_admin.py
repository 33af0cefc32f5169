"""What people decide and what they need for it: verdicts, marks, run logs, people and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from model.registry.base import Base, utc_now


class Verdict(Base):
    """What the gate said of a candidate against the version served then; append-only.

    ``verdict`` is ``PROMOTE``, ``HOLD`` or ``REJECT``. ``look`` counts from 1; 0 where nothing
    could be decided. ``level`` is the two-sided share of false alarms spent on it, ``needed`` how
    many documents in all would decide. ``delta``, ``low`` and ``high`` are differences of F1,
    candidate minus served, in [-1, 1].
    """

    __tablename__ = "verdicts"
    __table_args__ = (UniqueConstraint("candidate_id", "served_id", "look"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    lane: Mapped[str] = mapped_column(String(40))
    candidate_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"))
    served_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"))
    look: Mapped[int]
    eval_digest: Mapped[str | None] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    level: Mapped[float]
    documents: Mapped[int]
    needed: Mapped[int | None]
    no_harm: Mapped[bool]
    candidate_f1: Mapped[float | None]
    served_f1: Mapped[float | None]
    delta: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    label_scores: Mapped[list[Any]]
    policy: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(default=utc_now)


class VersionMark(Base):
    """What may change about a version that itself never changes: pinned, archived, condemned."""

    __tablename__ = "version_marks"

    version_id: Mapped[int] = mapped_column(ForeignKey("adapter_versions.id"), primary_key=True)
    pinned: Mapped[bool] = mapped_column(default=False)
    archived_at: Mapped[datetime | None]
    archived_reason: Mapped[str | None] = mapped_column(Text)
    condemned_at: Mapped[datetime | None]
    condemned_reason: Mapped[str | None] = mapped_column(Text)
    deleted_at: Mapped[datetime | None]


class RunLine(Base):
    """One line of a run's log: a step with its loss, or words."""

    __tablename__ = "run_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("training_runs.id"), index=True)
    attempt: Mapped[int]
    step: Mapped[int | None]
    loss: Mapped[float | None]
    words: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)


class Person(Base):
    """Somebody who may look (``viewer``) or decide (``admin``), everywhere or in one project."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    password: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(10))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"))
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class PersonSession(Base):
    """A browser somebody is logged in with; the cookie's digest, never the cookie."""

    __tablename__ = "person_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class PersonToken(Base):
    """A token for scripts, acting as its person; its digest, never the token."""

    __tablename__ = "person_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
