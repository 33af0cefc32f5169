"""Documents on which two versions' true qualities are known: drawn, or real with errors swapped."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from model.errors import NerLoopError
from model.evaluation.bootstrap import Counts
from model.evaluation.comparison import aligned_counts, paired_runs, require_same
from model.evaluation.paired import PairedCounts
from model.evaluation.report import Report

GOLD_SPANS: Final = 2.5
"""Mean gold spans of a document."""
LABELS: Final = ("A", "B", "C", "D")
SHARES: Final = (0.4, 0.3, 0.2, 0.1)
"""How often each label occurs."""
WRONG_INSTEAD: Final = 0.5
"""Share of missed spans with a wrong one in their place."""
INVENTED: Final = 0.35
"""Mean invented spans of a document; half of them both versions invent."""
OF_DOCUMENT: Final = 0.25
OF_SPAN: Final = 0.35
"""Shares of what makes a span hard that both versions see alike; the rest is each one's own."""


class NoCommonRunError(NerLoopError):
    """The two results have no support set in common, so nothing pairs their answers."""


class DrawnDocuments:
    """Documents with gold spans that are hard or easy for every version alike, up to a part.

    A span is found if a normal variable is below a bound: a quarter of its variance belongs to the
    document, a third to the span, the rest to the version that looks for it. So errors of two
    versions are correlated, as those of adapters trained on nearly the same texts are.

    Args:
        documents: How many.
        generator: Draws everything.
    """

    def __init__(self, documents: int, generator: np.random.Generator) -> None:
        self._generator, self._documents = generator, documents
        gold = generator.poisson(GOLD_SPANS, documents)  # (n,)
        self._owner = np.repeat(np.arange(documents), gold)  # (s,)
        self._label = generator.choice(len(LABELS), size=len(self._owner), p=SHARES)  # (s,)
        hard = generator.standard_normal(documents)[self._owner] * OF_DOCUMENT**0.5
        self._hard = hard + generator.standard_normal(len(self._owner)) * OF_SPAN**0.5  # (s,)
        self._invented = self._inventions()
        self._gold = self._table(np.ones(len(self._owner), dtype=bool))

    def answers(self, f1: float) -> Counts:
        """Counts of a version whose expected strict F1 this is. Shape ``(labels, n, 3)``.

        Args:
            f1: In (0, 1).
        """
        own = self._generator.standard_normal(len(self._hard)) * (1 - OF_DOCUMENT - OF_SPAN) ** 0.5
        found = self._hard + own < NormalDist().inv_cdf(recall_for(f1))
        wrong = ~found & (self._generator.random(len(found)) < WRONG_INSTEAD)
        correct = self._table(found)
        predicted = correct + self._table(wrong) + self._invented + self._inventions()
        return np.stack([correct, predicted, self._gold], axis=-1)

    def _inventions(self) -> npt.NDArray[np.float64]:
        mean = INVENTED / 2 * np.array(SHARES)[:, None]  # (l, 1)
        size = (len(LABELS), self._documents)
        return self._generator.poisson(mean, size).astype(np.float64)  # (l, n)

    def _table(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Number of the chosen spans by label and document. Shape ``(labels, n)``."""
        places = (self._label * self._documents + self._owner)[chosen]
        counted = np.bincount(places, minlength=len(LABELS) * self._documents)
        return counted.reshape(len(LABELS), self._documents).astype(np.float64)


def recall_for(f1: float) -> float:
    """The share of gold spans a version finds if its expected F1 is this one.

    With recall r, the expected counts of a document are ``g r`` correct, ``g r + w g (1 - r) + i``
    predicted and ``g`` gold spans, and F1 is twice the first over the sum of the others.
    """
    g, w, i = GOLD_SPANS, WRONG_INSTEAD, INVENTED
    return f1 * (g + w * g + i) / (2 * g - f1 * g * (1 - w))


def pair(counts: tuple[Counts, Counts], documents: int) -> PairedCounts:
    """The first so many documents of two versions' answers."""
    return PairedCounts(LABELS, *(side[:, :documents] for side in counts))


class RealDocuments:
    """Sentences that two systems answered, made equally good by swapping their answers at random.

    Which system gave which answer is drawn anew for every sentence and every gate: two versions
    that differ in as many sentences as the systems do, and neither is better.

    Args:
        first: A measurement with counts of each sentence.
        second: Another one of the same sentences.

    Raises:
        ComparisonError: If sentences, labels or the way of asking differ.
        NoCommonRunError: If they share no support set.
    """

    def __init__(self, first: Report, second: Report) -> None:
        require_same("first", first, "second", second)
        runs = paired_runs(first.runs, second.runs)
        if not runs:
            raise NoCommonRunError
        self._pairs = aligned_counts(runs)  # (r, n, 3) each

    def draw(self, documents: int, generator: np.random.Generator) -> PairedCounts:
        """Sentences drawn without replacement, of one support set drawn with them.

        Args:
            documents: At most :attr:`sentences`.
            generator: Draws.
        """
        one, other = self._pairs
        run = generator.integers(len(one))
        chosen = generator.permutation(one.shape[1])[:documents]
        swapped = (generator.random(documents) < 0.5)[:, None]  # (n, 1)
        first, second = one[run, chosen], other[run, chosen]  # (n, 3)
        sides = np.where(swapped, second, first), np.where(swapped, first, second)
        return PairedCounts(("all",), sides[0][None], sides[1][None])

    @property
    def sentences(self) -> int:
        """How many sentences both answered."""
        return int(self._pairs[0].shape[1])
