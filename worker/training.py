"""The walk of a run: claim, fit, score, write files, publish."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from model.engine import Engine
from model.errors import AdapterError, NerLoopError, TrainingDataError
from model.lanes import lane_kind
from model.registry import aliases, runs, versions
from model.registry.artifacts import writer
from model.registry.errors import (
    FenceLostError,
    RegistryBusyError,
    RegistryUnavailableError,
    StaleVerdictError,
)
from model.registry.judging import Trial
from model.registry.runs import Claim
from model.registry.switching import base_version
from model.registry.tables_versions import AdapterVersion
from model.registry.versions import Publication
from worker.context import Context
from worker.failures import failure_kind as failure_kind
from worker.heartbeat import Heartbeat
from worker.judging import first_look
from worker.scoring import asked_for, both_scored, smoke

log = logging.getLogger(__name__)

PUBLISH_PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds between tries of the publishing commit."""

TRY_AGAIN = (RegistryBusyError, RegistryUnavailableError, StaleVerdictError)
"""What another try may get over: the registry is busy or away, or the verdict out of date."""


def train_run(context: Context, run_id: int) -> None:
    """Turn a requested run into a version, or into a failed run with its reason."""
    with context.database.begin() as session:
        claim = runs.claim(session, run_id)
    if claim is None:
        log.info("run %s is not to be had (taken, or its lane is busy)", run_id)
        return
    log.info("run %s, attempt %s: %s texts", run_id, claim.attempt, len(claim.support))
    try:
        heart = Heartbeat(
            context.database, run_id, claim.fence, context.clock, attempt=claim.attempt
        )
        with heart:
            made, trial = _make(context, claim, heart)
            version = _publish(context, claim, made, trial)
    except FenceLostError:
        log.warning("run %s was taken over; this attempt's result is dropped", run_id)
        return
    except TRY_AGAIN as error:
        # not the run's fault: its row stays as it is, and the sweeper lets it be done again
        log.warning("run %s: the registry does not answer: %s", run_id, error)
        return
    except Exception as error:  # noqa: BLE001 - every failure ends the run with its reason
        _fail(context, claim, error)
        return
    if version is None:
        log.info("run %s gave an adapter that exists already", run_id)
        return
    log.info("run %s made version %s", run_id, version.number)
    context.doorbell.predict(version.id, 0, claim.method)


def _publish(
    context: Context, claim: Claim, made: Publication, trial: Trial | None = None
) -> AdapterVersion | None:
    """One commit, tried again while the registry is busy or away; the fence makes that safe."""
    for pause in PUBLISH_PAUSES:
        try:
            return _publish_once(context, claim, made, trial)
        except TRY_AGAIN as error:
            log.warning("run %s: not published yet: %s", claim.run_id, error)
            time.sleep(pause * context.settings.time_scale)
    return _publish_once(context, claim, made, trial)


def _publish_once(
    context: Context, claim: Claim, made: Publication, trial: Trial | None
) -> AdapterVersion | None:
    if trial is not None:
        found = first_look(context, claim, trial, made.artifact_digest)
        made = replace(made, judged=found)
    with context.database.begin() as session:
        return versions.publish(session, claim, made)


def _make(context: Context, claim: Claim, heart: Heartbeat) -> tuple[Publication, Trial]:
    engine = context.engine(claim.method)
    with context.database.read() as session:
        first = base_version(session, claim.project_id, claim.method, engine.base_digest)
    if engine.base_digest != first.base_digest:
        raise AdapterError(
            f"The project's version {first.number} belongs to the base model {first.base_name} "
            f"({first.base_digest[:12]}), but this worker loaded {engine.base_digest[:12]}. Set "
            f"{lane_kind(claim.method).base_variable} back to it, or run `nerloop connect` with "
            f"--method {claim.method} to go on with the new one."
        )
    support = asked_for(claim.support, claim.labels)
    if not any(item.spans for item in support):
        raise TrainingDataError("There is no annotated span of the present labels to learn from.")
    start = context.artifacts.read(first.artifact_digest)
    fitted = engine.fit(
        support,
        claim.labels,
        start=start,
        seed=claim.seed,
        held_out=asked_for([item.gold for item in claim.held_out], claim.labels),
        on_step=heart.on_step,
    )
    heart.say("fitted; the files are written next")
    digest = context.artifacts.put(fitted.files, owner=writer(claim.run_id, claim.fence))
    trial = _tried(context, claim, engine, digest, heart)
    heart.say("scored; published next")
    made = Publication(
        artifact_digest=digest,
        base_name=first.base_name,
        base_digest=first.base_digest,
        config=fitted.config,
        report=fitted.report,
        scores=trial.candidate,
        served_scores=None if trial.rival is None else (trial.served.version_id, trial.rival),
    )
    return made, trial


def _tried(context: Context, claim: Claim, engine: Engine, digest: str, heart: Heartbeat) -> Trial:
    engine.ensure(digest, lambda: context.artifacts.read(digest))
    broken = smoke(engine, digest, claim.support[0].text, claim.labels)
    with context.database.read() as session:
        served = aliases.served(session, claim.project_id)
    if broken is not None:
        return Trial(served, broken=broken)
    if claim.held_out:
        heart.say(f"asked about {len(claim.held_out)} held-out texts next")
    return both_scored(
        context, engine, digest, served, claim.held_out, claim.labels, heart.one_more
    )


def _fail(context: Context, claim: Claim, error: Exception) -> None:
    kind = failure_kind(error)
    if kind == "bug":
        log.exception("run %s failed", claim.run_id)
    reason = str(error) if isinstance(error, NerLoopError | OSError) else type(error).__name__
    with context.database.begin() as session:
        ours = runs.fail(session, claim.run_id, claim.fence, kind, reason)
    log.error("run %s failed (%s): %s%s", claim.run_id, kind, reason, "" if ours else " [not ours]")
