"""Rows of the registry as the admin API shows them."""

from __future__ import annotations

from typing import Any

from model.registry import aliases, predictions
from model.registry.aliases import AliasMove
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.tables_versions import AliasChange, TrainingRun
from model.registry.versions import VersionView


def project(session: Session, row: Project) -> dict[str, Any]:
    """A project; ``pointer_drift`` means somebody chose another version in Label Studio."""
    served = aliases.served(session, row.id)
    candidate = aliases.candidate(session, row.id)
    drift = row.pointer_wanted is not None and row.pointer_seen != row.pointer_wanted
    return {
        "project": row.ls_id,
        "uid": row.uid,
        "title": row.title,
        "url": row.url,
        "connected": row.connected,
        "connection_error": row.connection_error,
        "config_error": row.config_error,
        "prediction_error": predictions.trouble(session, served.version_id),
        "labels": [item["name"] for item in row.label_set],
        "served": served.number,
        "served_name": served.name,
        "revision": served.revision,
        "candidate": candidate.number if candidate else None,
        "policy": row.policy,
        "paused": row.paused,
        "held_out_share": row.held_out_share,
        "pointer": row.pointer_seen,
        "pointer_drift": drift,
        "unread_changes": row.dirty_seq != row.clean_seq,
    }


def version(view: VersionView) -> dict[str, Any]:
    """A version's line in a list."""
    return {
        "number": view.number,
        "name": view.name,
        "state": view.state,
        "method": view.method,
        "shots": view.shots,
        "texts": view.texts,
        "f1": view.f1,
        "documents": view.documents,
        "trigger": view.trigger,
        "created_at": view.created_at.isoformat(),
    }


def version_in_full(view: VersionView) -> dict[str, Any]:
    """A version with what it was made from."""
    return version(view) | {
        "run": view.run_id,
        "artifact_digest": view.artifact_digest,
        "snapshot_digest": view.snapshot_digest,
        "base": view.base_name,
        "base_digest": view.base_digest,
        "seed": view.seed,
        "config": view.config,
        "report": view.report,
    }


def run(row: TrainingRun) -> dict[str, Any]:
    """A training run."""
    return {
        "run": row.id,
        "method": row.method,
        "state": row.state,
        "reason": row.reason,
        "attempt": row.attempt,
        "step": row.step,
        "steps": row.steps,
        "loss": row.loss,
        "outcome": row.outcome,
        "failure": row.failure_kind,
        "failure_reason": row.failure_reason,
        "requested_at": row.requested_at.isoformat(),
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
    }


def change(row: AliasChange) -> dict[str, Any]:
    """One line of the audit trail."""
    return {
        "alias": row.alias,
        "from": row.from_version,
        "to": row.to_version,
        "actor": row.actor,
        "reason": row.reason,
        "outcome": row.outcome,
        "revision": row.revision,
        "request_id": row.request_id,
        "at": row.at.isoformat(),
    }


def move(ls_id: int, moved: AliasMove) -> dict[str, Any]:
    """What a promotion or a roll-back came to."""
    return {
        "project": ls_id,
        "from": moved.from_number,
        "to": moved.to_number,
        "name": f"{ls_id}.{moved.to_number}",
        "revision": moved.revision,
    }
