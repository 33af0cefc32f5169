"""The gate in the worker: a new version's first look, and a held candidate's second."""

from __future__ import annotations

import logging

from model.registry import (
    aliases,
    evaluations,
    gold_rows,
    judging,
    projects,
    runs,
    second_looks,
)
from model.registry.errors import StaleVerdictError
from model.registry.judging import Judged, Trial
from model.registry.loading import read_version
from model.registry.runs import Claim
from model.registry.tables_versions import AdapterVersion
from model.spans import LabelSet
from worker.context import Context
from worker.scoring import both_scored

log = logging.getLogger(__name__)


def first_look(context: Context, claim: Claim, trial: Trial, artifact: str) -> Judged | None:
    """Judge what a run made, before it is published.

    Args:
        context: The registry.
        claim: The run.
        trial: The answers of the new adapter and of the served version.
        artifact: Digest of the new adapter.
    """
    with context.database.read() as session:
        standing = judging.standing_of(
            session,
            claim.project_id,
            claim.method,
            trial.served,
            snapshot_id=runs.snapshot_of(session, claim.run_id),
        )
    return judging.judged(trial, standing, artifact)


def look_again(context: Context, version: AdapterVersion) -> None:
    """Judge a candidate once more, if it was held until more documents exist and they do.

    Nothing happens while a run of its lane waits: what that makes takes its place.

    Args:
        context: The registry, and the engines.
        version: Any version.
    """
    with context.database.read() as session:
        waiting = any(method == version.method for *_, method in runs.to_ring(session))
        if waiting or not second_looks.is_due(session, version):
            return
        served = aliases.served(session, version.project_id)
        documents = gold_rows.held_out_gold(session, version.project_id)
        labels = LabelSet.from_json(projects.by_id(session, version.project_id).label_set)
    engine = context.engine(version.method)
    digest = version.artifact_digest
    engine.ensure(digest, lambda: read_version(context.database, context.artifacts, version.id))
    trial = both_scored(context, engine, digest, served, documents, labels, lambda: None)
    with context.database.read() as session:
        standing = judging.standing_of(
            session,
            version.project_id,
            version.method,
            served,
            snapshot_id=version.snapshot_id,
            candidate_id=version.id,
        )
    found = judging.judged(trial, standing, digest)
    if found is not None:
        _keep(context, version, trial, found)


def _keep(context: Context, version: AdapterVersion, trial: Trial, found: Judged) -> None:
    try:
        with context.database.begin() as session:
            projects.lock(session, version.project_id)  # first: two jobs may come with one look
            if not second_looks.is_due(session, version):
                return  # another worker was quicker, or a person decided
            sides = ((version.id, trial.candidate), (trial.served.version_id, trial.rival))
            for version_id, scores in sides:
                if scores is not None:
                    evaluations.keep(session, version_id, scores)
            judging.settle(session, version, found, is_new=False)
    except StaleVerdictError as error:
        log.info("version %s: %s", version.number, error)  # the next pass asks again
        return
    said = found.judgement
    log.info("version %s judged again: %s, %s", version.number, said.verdict, said.reason)
