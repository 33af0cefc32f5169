"""The figures of one system on one task over all its runs."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import replace

from model.evaluation.episodes import are_episodes, episode_figures
from model.evaluation.metrics import Counts
from model.evaluation.report import AVERAGED, Report
from model.evaluation.runs import DIGITS, Run


def averages(report: Report) -> tuple[dict[str, float], float | None]:
    """Means over the runs, and the standard deviation of F1.

    Over episodes the scores are micro scores over the queries of all, and there is no deviation:
    one episode is no repetition of another.
    """
    runs = report.runs
    known = {
        name: [float(getattr(run, name)) for run in runs]
        for name in AVERAGED
        if hasattr(runs[0], name)
    }
    means = {name: round(statistics.fmean(own), DIGITS) for name, own in known.items()}
    if are_episodes(report.header.protocol):
        micro = episode_figures(runs)
        own = {name: micro[name] for name in ("precision", "recall", "f1", "io_f1")}
        return {**means, **own}, None
    deviation = statistics.stdev([run.f1 for run in runs]) if runs[1:] else 0.0
    return means, round(deviation, DIGITS)


def without_sentences(report: Report, places: Collection[int]) -> Report:
    """The report as if the sentences at some places had not been scored.

    Precision, recall and F1 are counted again; the other scores stay those of all sentences.
    """
    return replace(report, runs=tuple(_without(run, places) for run in report.runs))


def _without(run: Run, places: Collection[int]) -> Run:
    kept = tuple(None if place in places else own for place, own in enumerate(run.per_text))
    total = sum((Counts(*own) for own in kept if own is not None), Counts())
    return replace(
        run,
        per_text=kept,
        texts=sum(own is not None for own in kept),
        precision=round(total.precision, DIGITS),
        recall=round(total.recall, DIGITS),
        f1=round(total.f1, DIGITS),
    )
