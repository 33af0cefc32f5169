"""Scores that mean what they say: Platt scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.spans import AnnotatedText, Prediction

MINIMUM_PAIRS = 30
"""Fewer pairs than this say too little to move a score."""

MINIMUM_OF_A_KIND = 5
"""Both right and wrong answers must occur at least this often."""

_EDGE = 1e-6
_RIDGE = 1e-6
_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class Scaling:
    """A map of scores to probabilities: ``sigmoid(slope * logit(score) + offset)``.

    Attributes:
        slope: Above zero, so that the order of scores is kept; 1 / temperature.
        offset: In nats.
        pairs: Pairs it was fitted on.
        fitted: False where it changes nothing because the pairs did not allow a fit.
    """

    slope: float = 1.0
    offset: float = 0.0
    pairs: int = 0
    fitted: bool = False

    def of(self, score: float) -> float:
        """The probability that a score in [0, 1] stands for; never falls when the score rises."""
        if not self.fitted:
            return score
        return float(_sigmoid(self.slope * _logit(np.array([score])) + self.offset)[0])

    def to_json(self) -> dict[str, Any]:
        """A JSON value that :meth:`from_json` reads back."""
        return {
            "slope": self.slope,
            "offset": self.offset,
            "pairs": self.pairs,
            "fitted": self.fitted,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Scaling:
        """Read what :meth:`to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the scores of one adapter are read.

    Attributes:
        span: For the confidence of spans.
        absence: For the probability of ``none``.
    """

    span: Scaling = Scaling()
    absence: Scaling = Scaling()

    def to_json(self) -> dict[str, Any]:
        """A JSON value that :meth:`from_json` reads back."""
        return {"span": self.span.to_json(), "absence": self.absence.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Calibration:
        """Read what :meth:`to_json` wrote; an empty value changes no score."""
        return cls(*(Scaling.from_json(value.get(name, {})) for name in ("span", "absence")))


def fit_scaling(scores: Sequence[float], correct: Sequence[bool]) -> Scaling:
    """Fit a scaling to pairs of score and outcome by maximum likelihood.

    The targets are smoothed as in Platt (1999, "Probabilistic outputs for support vector
    machines"): ``(n1 + 1) / (n1 + 2)`` and ``1 / (n0 + 2)``, so that the fit stays finite where
    the scores tell right from wrong without an error.

    Args:
        scores: In [0, 1].
        correct: Whether each was right.

    Returns:
        The identity where there are fewer than ``MINIMUM_PAIRS`` pairs or ``MINIMUM_OF_A_KIND`` of
        a kind, or where higher scores are not more often right.
    """
    pairs, right = len(scores), sum(correct)
    if pairs < MINIMUM_PAIRS or min(right, pairs - right) < MINIMUM_OF_A_KIND:
        return Scaling(pairs=pairs)
    high, low = (right + 1) / (right + 2), 1 / (pairs - right + 2)
    targets = np.where(np.array(correct), high, low)  # (n,)
    slope, offset = _platt(_logit(np.array(scores, dtype=np.float64)), targets)
    if not (math.isfinite(offset) and 0 < slope < math.inf):
        return Scaling(pairs=pairs)
    return Scaling(slope, offset, pairs, fitted=True)


def span_pairs(
    predictions: Sequence[Prediction], gold: Sequence[AnnotatedText]
) -> tuple[list[float], list[bool]]:
    """The score of every predicted span and whether it is a gold span."""
    scores: list[float] = []
    correct: list[bool] = []
    for prediction, item in zip(predictions, gold, strict=True):
        keys = {span.key for span in item.spans}
        scores += [span.score for span in prediction.spans]
        correct += [span.key in keys for span in prediction.spans]
    return scores, correct


def expected_calibration_error(
    scores: Sequence[float], correct: Sequence[bool], *, bins: int = 10
) -> float:
    """Mean distance between score and share of right answers, over bins of equal width.

    ``sum_b n_b / n * | share right in b - mean score in b |`` (Guo et al., 2017, eq. 5).

    Args:
        scores: In [0, 1].
        correct: Whether each was right.
        bins: Number of bins; a score on an edge belongs to the upper bin, 1 to the last one.

    Returns:
        In [0, 1]; 0 where there are no pairs.
    """
    if not scores:
        return 0.0
    values = np.array(scores, dtype=np.float64)  # (n,)
    outcomes = np.array(correct, dtype=np.float64)  # (n,)
    places = np.minimum((values * bins).astype(np.int64), bins - 1)  # (n,)
    gaps = np.zeros(bins)
    np.add.at(gaps, places, outcomes - values)
    return float(np.abs(gaps).sum() / len(values))


def _platt(inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset by Newton's method with halved steps; ``inputs`` has shape ``(n,)``."""
    design = np.stack([inputs, np.ones_like(inputs)], axis=1)  # (n, 2)
    origin = np.array([1.0, 0.0])
    current = origin.copy()

    def loss(at: NDArray[np.float64]) -> float:
        z = design @ at  # (n,)
        away = at - origin
        return float((np.logaddexp(0.0, z) - targets * z).sum() + _RIDGE / 2 * away @ away)

    for _ in range(_NEWTON_STEPS):
        chances = _sigmoid(design @ current)  # (n,)
        gradient = design.T @ (chances - targets) + _RIDGE * (current - origin)  # (2,)
        spread = chances * (1 - chances)  # (n,)
        curvature = design.T @ (design * spread[:, None]) + _RIDGE * np.eye(2)  # (2, 2)
        step = np.linalg.solve(curvature, gradient)  # (2,)
        size = 1.0
        while loss(current - size * step) > loss(current) and size > _EDGE:
            size /= 2
        current = current - size * step
        if np.abs(size * step).max() < _EDGE:
            break
    return float(current[0]), float(current[1])


def _logit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    logits: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return logits


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(values, -700.0, 700.0)
    return 1 / (1 + np.exp(-bounded))
