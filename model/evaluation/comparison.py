"""Reports of several systems against a first one: which differences are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model.errors import NerLoopError
from model.evaluation.bootstrap import Comparison, Counts, holm, mean_f1, paired_bootstrap
from model.evaluation.episodes import are_episodes, by_episode
from model.evaluation.report import Report
from model.evaluation.runs import DIGITS, Run

LEVEL = 0.05
_NOTHING = (0, 0, 0)


class ComparisonError(NerLoopError):
    """The two measurements cannot be compared sentence by sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first system against another one; differences are first minus other.

    Attributes:
        first: Name of the first system.
        other: Name of the other.
        f1_first: Mean strict micro-F1 of the first over the support sets compared, in [0, 1]; over
            episodes the micro-F1 of all their sentences.
        f1_other: The same of the other.
        supports: Support sets compared, each counted once however many seeds it was trained with.
        left_out: Runs of either side without a partner.
        sentences: Sentences compared.
        both: Bootstrap over support sets and sentences, or over whole episodes.
        sentence_only: Bootstrap over sentences alone.
        p_holm: p of ``both`` after Holm's correction over all comparisons of the command.
    """

    first: str
    other: str
    f1_first: float
    f1_other: float
    supports: int
    left_out: int
    sentences: int
    both: Comparison
    sentence_only: Comparison
    p_holm: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0 and p stays below 0.05 after the correction."""
        return self.both.shown and self.p_holm < LEVEL

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        if not self.shown:
            return "no difference shown"
        return f"{self.first if self.both.difference > 0 else self.other} is better"

    def to_json(self) -> dict[str, Any]:
        """A JSON value; figures are fractions, differences first minus other."""
        return {
            "a": self.first,
            "b": self.other,
            "f1_a": round(self.f1_first, DIGITS),
            "f1_b": round(self.f1_other, DIGITS),
            **_figures(self.both),
            "p_holm": round(self.p_holm, DIGITS),
            "shown": self.shown,
            "verdict": self.sentence,
            "sentence_only": _figures(self.sentence_only),
            "supports": self.supports,
            "left_out": self.left_out,
            "sentences": self.sentences,
        }


def compare(
    reports: Sequence[tuple[str, Report]], *, draws: int = 10_000, seed: int = 0
) -> list[Verdict]:
    """Compare the first report with each of the others.

    Runs are paired as :func:`paired_runs` does. Those of one support set with several training
    seeds are averaged before support sets are drawn. A sentence that one of two partners left out
    counts for neither.

    Args:
        reports: Names and reports, at least two.
        draws: Bootstrap draws.
        seed: Seeds the draws, the same for every comparison.

    Raises:
        ComparisonError: If sentences, labels or the way of asking differ, or no support set is
            in both reports.
    """
    if len(reports) < 2:
        raise ComparisonError("A comparison needs at least two files.")
    (name, first), *others = reports
    verdicts = [_verdict(name, first, *other, draws=draws, seed=seed) for other in others]
    adjusted = holm([verdict.both.p for verdict in verdicts])
    return [replace(verdict, p_holm=p) for verdict, p in zip(verdicts, adjusted, strict=True)]


def _verdict(
    name: str, first: Report, other_name: str, other: Report, *, draws: int, seed: int
) -> Verdict:
    require_same(name, first, other_name, other)
    pairs = paired_runs(first.runs, other.runs)
    if not pairs:
        raise ComparisonError(f"{name} and {other_name} have no support set in common.")
    sets = _numbered([one.support_digest or two.support_digest for one, two in pairs])
    compared = _by_episode if are_episodes(first.header.protocol) else _by_support_set
    (own, its), sentences, both, alone = compared(pairs, sets, draws, seed)
    return Verdict(
        first=name,
        other=other_name,
        f1_first=own,
        f1_other=its,
        supports=len(set(sets)),
        left_out=len({id(run) for run in (*first.runs, *other.runs)})
        - len({id(run) for pair in pairs for run in pair}),
        sentences=sentences,
        both=both,
        sentence_only=alone,
        p_holm=both.p,
    )


_Pairs = Sequence[tuple[Run, Run]]
_Compared = tuple[tuple[float, float], int, Comparison, Comparison]


def _by_support_set(pairs: _Pairs, sets: Sequence[int], draws: int, seed: int) -> _Compared:
    own, its = aligned_counts(pairs)
    both = paired_bootstrap(own, its, draws=draws, seed=seed, sets=sets)
    alone = paired_bootstrap(own, its, draws=draws, seed=seed, resample_supports=False, sets=sets)
    return (mean_f1(own, sets), mean_f1(its, sets)), own.shape[1], both, alone


def _by_episode(pairs: _Pairs, sets: Sequence[int], draws: int, seed: int) -> _Compared:
    own, its = by_episode(pairs, sets)
    both = paired_bootstrap(own, its, draws=draws, seed=seed, resample_supports=False)
    own, its = every_sentence(pairs)
    alone = paired_bootstrap(own, its, draws=draws, seed=seed, resample_supports=False)
    return (mean_f1(own), mean_f1(its)), own.shape[1], both, alone


def require_same(name: str, first: Report, other_name: str, other: Report) -> None:
    """Refuse to compare reports of other sentences or other questions.

    Raises:
        ComparisonError: If sentences, labels or the way of asking differ.
    """
    own, its = first.header, other.header
    different = [
        what
        for what, same in {
            "the scored sentences": own.sentences == its.sentences,
            "the labels": own.digests.get("labels") == its.digests.get("labels"),
            "oracle types": own.protocol.get("oracle_types") == its.protocol.get("oracle_types"),
        }.items()
        if not same
    ]
    if different:
        raise ComparisonError(
            f"{name} and {other_name} cannot be compared: {' and '.join(different)} differ."
        )


def paired_runs(first: Sequence[Run], second: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs of the same support set, in the order of the first.

    The only run of a zero-shot report is the partner of every run. Runs of one support set with
    several training seeds are paired in the order of the seeds.
    """
    if all(run.support is None for run in first) and len(first) == 1:
        return [(first[0], run) for run in second]
    if all(run.support is None for run in second) and len(second) == 1:
        return [(run, second[0]) for run in first]
    own, its = _by_support(first), _by_support(second)
    return [(own[key], its[key]) for key in own if key in its]


def _by_support(runs: Sequence[Run]) -> dict[tuple[str | None, int], Run]:
    """Runs by support set and place among its training seeds."""
    found: dict[tuple[str | None, int], Run] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        place = 0
        while (run.support_digest, place) in found:
            place += 1
        found[run.support_digest, place] = run
    return found


def aligned_counts(pairs: Sequence[tuple[Run, Run]]) -> tuple[Counts, Counts]:
    """Counts of both sides, zeros where either left a sentence out. Shapes ``(r, n, 3)``."""
    own, its = [], []
    for one, two in pairs:
        both = [
            (_NOTHING, _NOTHING) if left is None or right is None else (left, right)
            for left, right in zip(one.per_text, two.per_text, strict=True)
        ]
        own.append([left for left, _ in both])
        its.append([right for _, right in both])
    return np.array(own, dtype=np.float64), np.array(its, dtype=np.float64)


def every_sentence(pairs: Sequence[tuple[Run, Run]]) -> tuple[Counts, Counts]:
    """Counts of both sides, the sentences of all runs in one row. Shapes ``(1, n, 3)``."""
    own, its = zip(*(aligned_counts([pair]) for pair in pairs), strict=True)
    return np.concatenate(own, axis=1), np.concatenate(its, axis=1)


def _numbered(names: Sequence[str | None]) -> list[int]:
    """The place of each name among the different ones."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return [places[name] for name in names]


def _figures(found: Comparison) -> dict[str, Any]:
    return {
        "difference": round(found.difference, DIGITS),
        "mean_difference": round(found.mean, DIGITS),
        "interval": [round(found.low, DIGITS), round(found.high, DIGITS)],
        "p": round(found.p, DIGITS),
    }
