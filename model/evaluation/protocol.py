"""Runs: every support set trains a copy of the start adapter and answers the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.evaluation.digests import adapter_digest
from model.evaluation.machine import peak_rss_mb
from model.evaluation.measurement import (
    ZERO_SHOT,
    Measurement,
    SupportSet,
    check,
)
from model.evaluation.metrics import Scores, score
from model.evaluation.runs import Run, TextCounts, figures
from model.method import Fitted, Progress
from model.spans import AnnotatedText, LabelSet, Span

CHUNK = 64


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how a measurement goes on; every function may stay away.

    Attributes:
        on_skip: A support set whose run is finished already.
        on_step: A training step of a support set.
        on_texts: Sentences predicted and sentences in all for a support set.
        on_run: A finished run; called before the next one begins.
    """

    on_skip: Callable[[SupportSet], None] | None = None
    on_step: Callable[[SupportSet, Progress], None] | None = None
    on_texts: Callable[[SupportSet, int, int], None] | None = None
    on_run: Callable[[Run], None] | None = None


def run_protocol(
    measurement: Measurement,
    supports: Sequence[SupportSet],
    *,
    seed: int = 1,
    chunk: int = CHUNK,
    finished: Collection[str] = (),
    watcher: Watcher | None = None,
    code: str = "",
) -> list[Run]:
    """Measure one run per support set; without any, the start adapter as it is (zero-shot).

    Sentences that a support set holds are left out of its run, but keep their place in
    ``Run.per_text``, so that runs stay aligned. A support set with the texts and spans of an
    earlier one is the same run and is not made again.

    Args:
        measurement: Method, start adapter, labels and test.
        supports: The support sets; empty for zero-shot.
        seed: Seeds every training.
        chunk: Sentences given to the method at once.
        finished: Digests of runs (``Run.settings_digest``) that need not be made again.
        watcher: Who is told.
        code: Version of the code, kept with each run.

    Returns:
        The runs made now, in order.

    Raises:
        ProtocolError: If the test is empty, a support set or the test has a label that is not
            asked, a support set has no span or holds the whole test.
        TrainingDataError: If the method finds nothing to learn.
        DivergedError: If a training diverges.
        AdapterError: If the start adapter belongs to another base model.
    """
    watcher = watcher or Watcher()
    supports = supports or (ZERO_SHOT,)
    check(measurement, supports)
    runs = []
    known_runs = set(finished)
    for support in supports:
        digest = measurement.run_digest(support, seed)
        if digest in known_runs:
            if watcher.on_skip is not None:
                watcher.on_skip(support)
            continue
        known_runs.add(digest)
        known = {"settings_digest": digest, "code": code}
        runs.append(_run(measurement, support, seed, chunk, watcher, known))
        if watcher.on_run is not None:
            watcher.on_run(runs[-1])
    return runs


def _run(
    measurement: Measurement,
    support: SupportSet,
    seed: int,
    chunk: int,
    watcher: Watcher,
    known: Mapping[str, Any],
) -> Run:
    method = measurement.method
    files, report, seconds_train = measurement.start, {}, 0.0
    if support.items:
        began = time.monotonic()
        fitted = _fit(measurement, support, seed, watcher)
        files, report, seconds_train = fitted.files, fitted.report, time.monotonic() - began
    held = {item.text for item in support.items}
    places = [place for place, item in enumerate(measurement.test) if item.text not in held]
    name = f"scored-{known['settings_digest']}"
    method.load(name, files)
    try:
        found, seconds = _predicted(measurement, places, name, chunk, support, watcher)
    finally:
        method.unload(name)
    scores, per_text = _scored(measurement.test, places, found)
    return Run(
        support=support.name,
        support_digest=support.digest,
        support_texts=len(support.items),
        texts=len(places),
        seconds_train=round(seconds_train, 2),
        seconds_predict=round(seconds, 2),
        peak_rss_mb=peak_rss_mb(),
        seed=seed,
        adapter_digest=adapter_digest(files),
        train_report=report,
        per_text=per_text,
        **figures(scores),
        **known,
    )


def _scored(
    test: Sequence[AnnotatedText], places: Sequence[int], found: Sequence[Sequence[Span]]
) -> tuple[Scores, tuple[TextCounts | None, ...]]:
    scored = [test[place] for place in places]
    scores = score([item.text for item in scored], [item.spans for item in scored], found)
    per_text: list[TextCounts | None] = [None] * len(test)
    for place, own in zip(places, scores.per_text, strict=True):
        per_text[place] = (own.correct, own.predicted, own.gold)
    return scores, tuple(per_text)


def _fit(measurement: Measurement, support: SupportSet, seed: int, watcher: Watcher) -> Fitted:
    told = watcher.on_step
    return measurement.method.fit(
        support.items,
        measurement.labels,
        start=measurement.start,
        seed=seed,
        on_step=None if told is None else lambda progress: told(support, progress),
    )


def _predicted(
    measurement: Measurement,
    places: Sequence[int],
    adapter: str,
    chunk: int,
    support: SupportSet,
    watcher: Watcher,
) -> tuple[list[Sequence[Span]], float]:
    found: dict[int, Sequence[Span]] = dict.fromkeys(places, ())
    seconds = 0.0
    done = 0
    for labels, part in _questions(measurement, places, chunk):
        began = time.monotonic()
        texts = [measurement.test[place].text for place in part]
        if labels is not None:
            answers = measurement.method.predict(texts, labels, adapter=adapter)
            for place, answer in zip(part, answers, strict=True):
                found[place] = answer.spans
        seconds += time.monotonic() - began
        done += len(part)
        if watcher.on_texts is not None:
            watcher.on_texts(support, done, len(places))
    return [found[place] for place in places], seconds


def _questions(
    measurement: Measurement, places: Sequence[int], chunk: int
) -> Iterator[tuple[LabelSet | None, Sequence[int]]]:
    """Chunks of places with the labels asked of them; None where nothing is asked."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place in places:
        gold = {span.label for span in measurement.test[place].spans}
        names = tuple(
            name
            for name in measurement.labels.names
            if name in gold or not measurement.oracle_types
        )
        groups.setdefault(names, []).append(place)
    for names, group in groups.items():
        asked = tuple(label for label in measurement.labels if label.name in names)
        for first in range(0, len(group), chunk):
            yield (LabelSet(asked) if asked else None), group[first : first + chunk]
