"""The walk of a run: claim, fit, score, write files, publish."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence

from model.engine import Engine
from model.errors import (
    AdapterError,
    BaseModelError,
    DivergedError,
    NerLoopError,
    OutOfMemoryError,
    TrainingDataError,
)
from model.evaluation.metrics import count
from model.lanes import lane_kind, queue_of
from model.method import Fitted
from model.registry import aliases, runs, versions
from model.registry.errors import (
    ArtifactError,
    FenceLostError,
    RegistryBusyError,
    RegistryUnavailableError,
)
from model.registry.gold_rows import HeldOutText
from model.registry.runs import Claim
from model.registry.switching import base_version
from model.registry.tables_versions import AdapterVersion
from model.registry.versions import Publication, Scores
from model.spans import AnnotatedText, LabelSet
from worker.context import Context
from worker.heartbeat import Heartbeat

log = logging.getLogger(__name__)

PUBLISH_PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds between tries of the publishing commit."""

SCORED_AT_ONCE = 8

FAILURES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((TrainingDataError,), "data"),
    ((MemoryError, OutOfMemoryError), "memory"),
    ((DivergedError,), "diverged"),
    ((ArtifactError, AdapterError, BaseModelError, OSError), "storage"),
)


def train_run(context: Context, run_id: int) -> None:
    """Turn a requested run into a version, or into a failed run with its reason."""
    with context.database.begin() as session:
        claim = runs.claim(session, run_id)
    if claim is None:
        log.info("run %s is not to be had (taken, or its lane is busy)", run_id)
        return
    log.info("run %s, attempt %s: %s texts", run_id, claim.attempt, len(claim.support))
    try:
        with Heartbeat(context.database, run_id, claim.fence, context.clock) as heart:
            made = _make(context, claim, heart)
            version = _publish(context, claim, made)
    except FenceLostError:
        log.warning("run %s was taken over; this attempt's result is dropped", run_id)
        return
    except (RegistryBusyError, RegistryUnavailableError) as error:
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


def _publish(context: Context, claim: Claim, made: Publication) -> AdapterVersion | None:
    """One commit, tried again while the registry is busy or away; the fence makes that safe."""
    for pause in PUBLISH_PAUSES:
        try:
            with context.database.begin() as session:
                return versions.publish(session, claim, made)
        except (RegistryBusyError, RegistryUnavailableError) as error:
            log.warning("run %s: not published yet: %s", claim.run_id, error)
            time.sleep(pause * context.settings.time_scale)
    with context.database.begin() as session:
        return versions.publish(session, claim, made)


def _make(context: Context, claim: Claim, heart: Heartbeat) -> Publication:
    with context.database.read() as session:
        first = base_version(session, claim.project_id, claim.method)
        served = aliases.served(session, claim.project_id)
    engine = context.engine(claim.method)
    if engine.base_digest != first.base_digest:
        raise AdapterError(
            f"The project's version {first.number} belongs to the base model {first.base_name} "
            f"({first.base_digest[:12]}), but this worker loaded {engine.base_digest[:12]}. Set "
            f"{lane_kind(claim.method).base_variable} back to it."
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
    digest = context.artifacts.put(fitted.files, owner=f"run{claim.run_id}-fence{claim.fence}")
    return _scored(context, claim, engine, fitted, digest, served, heart)


def _scored(
    context: Context,
    claim: Claim,
    engine: Engine,
    fitted: Fitted,
    digest: str,
    served: aliases.Served,
    heart: Heartbeat,
) -> Publication:
    engine.ensure(digest, lambda: context.artifacts.read(digest))
    engine.predict([claim.support[0].text], claim.labels, adapter=digest)  # it must answer at all
    scores = served_scores = None
    if claim.held_out:
        scores = score(engine, digest, claim.held_out, claim.labels, heart)
        there = _served_scores(context, claim, served, heart)
        served_scores = None if there is None else (served.version_id, there)
    with context.database.read() as session:
        first = base_version(session, claim.project_id, claim.method)
    return Publication(
        artifact_digest=digest,
        base_name=first.base_name,
        base_digest=first.base_digest,
        config=fitted.config,
        report=fitted.report,
        scores=scores,
        served_scores=served_scores,
    )


def _served_scores(
    context: Context, claim: Claim, served: aliases.Served, heart: Heartbeat
) -> Scores | None:
    if queue_of(served.method) == "slow" and queue_of(claim.method) == "fast":
        # Fast runs must not wait for a language model, nor hold one beside the slow worker's.
        log.info("version %s needs a slow method's base model and is not scored", served.name)
        return None
    try:
        engine = context.engine(served.method)
        engine.ensure(
            served.artifact_digest, lambda: context.artifacts.read(served.artifact_digest)
        )
    except (ArtifactError, AdapterError, BaseModelError) as error:
        # a damaged served version must not keep its own successor from being made
        log.error("version %s cannot be scored: %s", served.name, error)
        return None
    return score(engine, served.artifact_digest, claim.held_out, claim.labels, heart)


def asked_for(texts: Sequence[AnnotatedText], labels: LabelSet) -> list[AnnotatedText]:
    """The texts with the spans of today's labels alone; a label removed since is not learnt."""
    names = set(labels.names)
    return [
        AnnotatedText(item.text, tuple(s for s in item.spans if s.label in names)) for item in texts
    ]


def score(
    engine: Engine,
    adapter: str,
    documents: Sequence[HeldOutText],
    labels: LabelSet,
    heart: Heartbeat,
) -> Scores:
    """Strict span counts of one adapter on held-out documents.

    Args:
        engine: Has the adapter loaded.
        adapter: Its digest.
        documents: Gold documents.
        labels: The label set asked for.
        heart: Told after every few documents, so that a long scoring is not taken for a hang.

    Raises:
        FenceLostError: If the run belongs to somebody else by now.
    """
    gold = asked_for([item.gold for item in documents], labels)
    rows = []
    for first in range(0, len(gold), SCORED_AT_ONCE):
        part = gold[first : first + SCORED_AT_ONCE]
        predictions = engine.predict([item.text for item in part], labels, adapter=adapter)
        for document, truth, said in zip(documents[first:], part, predictions, strict=False):
            own = count(truth.spans, said.spans)
            rows.append((document.task_ref, own.correct, own.predicted, own.gold))
        heart.one_more()
    return Scores(_digest(documents, gold), tuple(rows))


def _digest(documents: Sequence[HeldOutText], gold: Sequence[AnnotatedText]) -> str:
    lines = [
        [document.text_digest, sorted(span.key for span in truth.spans)]
        for document, truth in zip(documents, gold, strict=True)
    ]
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()


def _fail(context: Context, claim: Claim, error: Exception) -> None:
    kind = failure_kind(error)
    if kind == "bug":
        log.exception("run %s failed", claim.run_id)
    reason = str(error) if isinstance(error, NerLoopError | OSError) else type(error).__name__
    with context.database.begin() as session:
        ours = runs.fail(session, claim.run_id, claim.fence, kind, reason)
    log.error("run %s failed (%s): %s%s", claim.run_id, kind, reason, "" if ours else " [not ours]")


def failure_kind(error: Exception) -> str:
    """What an error is called in the run's row: data, memory, diverged, storage or bug."""
    for types, kind in FAILURES:
        if isinstance(error, types):
            return kind
    # torch tells a full memory by a RuntimeError, on the CPU by its words alone
    if isinstance(error, RuntimeError) and "memory" in str(error).lower():
        return "memory"
    return "bug"
