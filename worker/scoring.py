"""Versions asked about held-out documents: whether one answers at all, and how right it is."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence

from model.engine import Engine
from model.errors import AdapterError, BaseModelError, NerLoopError
from model.evaluation.metrics import count
from model.lanes import queue_of
from model.registry.aliases import Served
from model.registry.errors import ArtifactError
from model.registry.evaluations import Answer, Scores
from model.registry.gold_rows import HeldOutText
from model.registry.judging import Trial
from model.registry.loading import read_version
from model.spans import AnnotatedText, LabelSet
from worker.context import Context
from worker.failures import failure_kind

log = logging.getLogger(__name__)

SCORED_AT_ONCE = 8


def asked_for(texts: Sequence[AnnotatedText], labels: LabelSet) -> list[AnnotatedText]:
    """The texts with the spans of today's labels alone; a label removed since is not learnt."""
    names = set(labels.names)
    return [
        AnnotatedText(item.text, tuple(s for s in item.spans if s.label in names)) for item in texts
    ]


def smoke(engine: Engine, adapter: str, text: str, labels: LabelSet) -> str | None:
    """Ask a new adapter about one text.

    Args:
        engine: Has the adapter loaded.
        adapter: Its digest.
        text: Any text.
        labels: The label set asked for.

    Returns:
        What is wrong with its answer; None if it can be used.

    Raises:
        Exception: If there was no memory to ask: that says nothing of the adapter.
    """
    try:
        [said] = engine.predict([text], labels, adapter=adapter)
    except Exception as error:
        if failure_kind(error) == "memory":
            raise
        log.warning("a new adapter does not answer", exc_info=error)
        words = str(error) if isinstance(error, NerLoopError) else type(error).__name__
        return f"It cannot answer a text of its own training: {words}"
    for span in said.spans:
        if span.label not in labels.names:
            return f"It answers the label {span.label!r}, which the project does not have."
        if span.end > len(text):
            return f"It answers the span {span.key}, which ends beyond its text."
    return None


def both_scored(
    context: Context,
    engine: Engine,
    adapter: str,
    served: Served,
    documents: Sequence[HeldOutText],
    labels: LabelSet,
    one_more: Callable[[], None],
) -> Trial:
    """Ask a candidate and the served version about the same documents, in this process.

    Args:
        context: Opens the served version's engine.
        engine: The candidate's, with its adapter loaded.
        adapter: The candidate's digest.
        served: What it is compared with.
        documents: As in :func:`score`; nothing is asked if there is none.
        labels: The label set asked for.
        one_more: As in :func:`score`; what it raises passes through.
    """
    if not documents:
        return Trial(served)
    ours = score(engine, adapter, documents, labels, one_more)
    if queue_of(served.method) == "slow" and queue_of(engine.method_name) == "fast":
        # fast runs must not wait for a language model, nor hold one beside the slow worker's
        return Trial(served, ours, why_not=SLOW_SERVED.format(served.number, served.method))
    try:
        other = context.engine(served.method)
        other.ensure(
            served.artifact_digest,
            lambda: read_version(context.database, context.artifacts, served.version_id),
        )
    except (ArtifactError, AdapterError, BaseModelError) as error:
        # a damaged served version must not keep its own successor from being made
        log.error("version %s cannot be scored: %s", served.name, error)
        return Trial(served, ours, why_not=f"Version {served.number} cannot be scored: {error}")
    theirs = score(other, served.artifact_digest, documents, labels, one_more)
    return Trial(served, ours, theirs)


SLOW_SERVED = (
    "Version {}, which is served, needs the language model of {}: a version of the fast lane is "
    "not compared with it. A person decides."
)


def score(
    engine: Engine,
    adapter: str,
    documents: Sequence[HeldOutText],
    labels: LabelSet,
    one_more: Callable[[], None],
) -> Scores:
    """Strict span counts and answers of one adapter on held-out documents.

    Args:
        engine: Has the adapter loaded.
        adapter: Its digest.
        documents: Gold documents.
        labels: The label set asked for.
        one_more: Told after every few documents, so that a long scoring is not taken for a hang.

    Raises:
        FenceLostError: If ``one_more`` says that the work belongs to somebody else by now.
    """
    gold = asked_for([item.gold for item in documents], labels)
    rows, answers = [], []
    for first in range(0, len(gold), SCORED_AT_ONCE):
        part = gold[first : first + SCORED_AT_ONCE]
        predictions = engine.predict([item.text for item in part], labels, adapter=adapter)
        for document, truth, said in zip(documents[first:], part, predictions, strict=False):
            own = count(truth.spans, said.spans)
            rows.append((document.task_ref, own.correct, own.predicted, own.gold))
            answers.append(Answer(document.text_digest, truth.spans, said.spans))
        one_more()
    return Scores(_digest(answers), tuple(rows), tuple(answers))


def _digest(answers: Sequence[Answer]) -> str:
    lines = [[answer.text_digest, sorted(span.key for span in answer.gold)] for answer in answers]
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()
