"""Rows of the registry as the admin API's messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backend.routes.admin_answers import (
    ChangeLine,
    MarkAnswer,
    MoveAnswer,
    ProjectAnswer,
    RunAnswer,
    RunInFullAnswer,
    RunLineAnswer,
    SwitchAnswer,
    VersionAnswer,
    VersionLine,
)
from model.registry import (
    aliases,
    audit,
    marks,
    predictions,
    previous,
    run_log,
    verdicts,
    versions,
)
from model.registry.aliases import AliasMove
from model.registry.marks import Mark
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.tables_versions import AliasChange, TrainingRun
from model.registry.verdicts import VerdictView
from model.registry.versions import VersionView


def project(session: Session, row: Project) -> ProjectAnswer:
    """A project with what it serves and what troubles it."""
    served = aliases.served(session, row.id)
    candidate = aliases.candidate(session, row.id)
    drift = row.pointer_wanted is not None and row.pointer_seen != row.pointer_wanted
    return ProjectAnswer(
        project=row.ls_id,
        uid=row.uid,
        title=row.title,
        url=row.url,
        connected=row.connected,
        connection_error=row.connection_error,
        config_error=row.config_error,
        prediction_error=predictions.trouble(session, served.version_id),
        labels=[item["name"] for item in row.label_set],
        served=served.number,
        served_name=served.name,
        revision=served.revision,
        candidate=candidate.number if candidate else None,
        previous=previous.previous_served(session, row.id),
        policy=row.policy,
        paused=row.paused,
        held_out_share=row.held_out_share,
        pointer=row.pointer_seen,
        pointer_drift=drift,
        unread_changes=row.dirty_seq != row.clean_seq,
    )


def switches(row: Project) -> SwitchAnswer:
    """How a project is run."""
    return SwitchAnswer(project=row.ls_id, policy=row.policy, paused=row.paused)


def version_lines(session: Session, row: Project) -> list[VersionLine]:
    """All versions of a project, oldest first, each with its newest verdict."""
    marked = marks.marks_of(session, row.id)
    said = verdicts.newest(session, row.id)
    return [
        VersionLine(**_line(view, marked.get(view.id, Mark()), said.get(view.number)))
        for view in versions.versions(session, row.id)
    ]


def version_in_full(session: Session, row: Project, number: int) -> VersionAnswer:
    """One version with everything that is known of it."""
    view = versions.version(session, row.id, number)
    said = verdicts.of_version(session, view.id)
    return VersionAnswer(
        **_line(view, marks.mark_of(session, view.id), said[0] if said else None),
        run=view.run_id,
        artifact_digest=view.artifact_digest,
        snapshot_digest=view.snapshot_digest,
        base=view.base_name,
        base_digest=view.base_digest,
        seed=view.seed,
        config=view.config,
        report=view.report,
        verdicts=said,
    )


def _line(view: VersionView, mark: Mark, verdict: VerdictView | None) -> dict[str, Any]:
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
        "created_at": view.created_at,
        "verdict": verdict,
        **asdict(mark),
    }


def mark(ls_id: int, number: int, found: Mark, *, dry_run: bool) -> MarkAnswer:
    """A version's mark after a decision, or as it would be."""
    return MarkAnswer(project=ls_id, number=number, dry_run=dry_run, **asdict(found))


def run(row: TrainingRun) -> RunAnswer:
    """A training run."""
    return RunAnswer(**_run(row))


def run_in_full(session: Session, row: Project, number: int) -> RunInFullAnswer:
    """A training run with its log, and the version it made."""
    found = run_log.of_project(session, row.id, number)
    log = run_log.lines(session, found.id)
    made = run_log.version_of(session, found.id)
    return RunInFullAnswer(
        **_run(found),
        seed=found.seed,
        version=made.number if made else None,
        seconds_left=run_log.seconds_left(found, log),
        lines=[
            RunLineAnswer(
                attempt=line.attempt, step=line.step, loss=line.loss, words=line.words, at=line.at
            )
            for line in log
        ],
    )


def _run(row: TrainingRun) -> dict[str, Any]:
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
        "requested_at": row.requested_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }


def changes(session: Session, row: Project) -> list[ChangeLine]:
    """The audit trail, newest first."""
    return [_change(item) for item in audit.history(session, row.id)]


def _change(row: AliasChange) -> ChangeLine:
    return ChangeLine(
        alias=row.alias,
        from_=row.from_version,
        to=row.to_version,
        actor=row.actor,
        reason=row.reason,
        outcome=row.outcome,
        verdict=row.verdict,
        override=audit.overrode(row),
        refusal=row.refusal,
        revision=row.revision,
        request_id=row.request_id,
        at=row.at,
    )


def move(ls_id: int, moved: AliasMove, *, dry_run: bool) -> MoveAnswer:
    """What a promotion or a roll-back came to, or would come to."""
    return MoveAnswer(
        project=ls_id,
        from_=moved.from_number,
        to=moved.to_number,
        name=f"{ls_id}.{moved.to_number}",
        revision=moved.revision,
        verdict=moved.verdict,
        override=moved.override,
        dry_run=dry_run,
    )
