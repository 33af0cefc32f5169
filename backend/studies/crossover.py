"""The number of shots at which plain fine-tuning overtakes a method, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.studies.study import Study
from model.evaluation.comparison import aligned_counts, paired_runs, require_same
from model.evaluation.report import Report
from model.evaluation.runs import Run

Counts = npt.NDArray[np.float64]
_CHUNK = 200


def crossings(
    study: Study, reports: dict[tuple[str, str], Report], *, draws: int, seed: int
) -> list[dict[str, Any]]:
    """Where the arms of method ``tagger`` overtake the other trained arms of a ladder of shots.

    Args:
        study: Its tasks with the same scored file and drawn supports are one ladder.
        reports: Reports by task and arm.
        draws: Bootstrap draws.
        seed: Seeds the draws.

    Returns:
        For each ladder and pair of arms the rungs measured, the shots at the crossing (None where
        the ladder ends before it) and its 95 % interval (None for a bound beyond the ladder). Runs
        are paired by support set; draws that a rung lacks are left out of all.

    Raises:
        ComparisonError: If sentences, labels or the way of asking differ between arms or rungs.
    """
    ladders: dict[str, list[tuple[int, str]]] = {}
    for task in study.tasks:
        if task.draw and task.shots and task.fold is None:
            ladders.setdefault(task.test, []).append((task.shots, task.name))
    plain = [arm.name for arm in study.arms if arm.method == "tagger"]
    others = [arm.name for arm in study.arms if arm.method != "tagger" and arm.trained]
    found = []
    for test, rungs in ladders.items():
        for name in others:
            for rival in plain:
                common = [
                    (shots, reports[task, name], reports[task, rival])
                    for shots, task in sorted(rungs)
                    if (task, name) in reports and (task, rival) in reports
                ]
                paired = _draws(name, rival, common)
                if paired and paired[0]:
                    row = _pair([shots for shots, _, _ in common], paired, draws, seed)
                    found.append({"test": test, "arm": name, "plain": rival, **row})
    return found


def crossing(shots: Sequence[int], differences: Sequence[float]) -> float | None:
    """Shots at which a difference along a ladder first reaches 0.

    Between two rungs the difference is taken to be linear in the logarithm of the shots.

    Args:
        shots: Rungs in ascending order.
        differences: F1 of plain fine-tuning minus that of the method, at each rung.

    Returns:
        None where the difference is below 0 on all rungs.
    """
    for place, difference in enumerate(differences):
        if difference < 0:
            continue
        if place == 0:
            return float(shots[0])
        before = differences[place - 1]
        share = before / (before - difference)
        low, high = math.log(shots[place - 1]), math.log(shots[place])
        return math.exp(low + share * (high - low))
    return None


def _draws(
    name: str, rival: str, rungs: Sequence[tuple[int, Report, Report]]
) -> list[list[tuple[Run, Run]]]:
    """The runs of both arms at each rung, of the draws that all rungs have, in one order."""
    found: list[dict[str, tuple[Run, Run]]] = []
    for shots, own, its in rungs:
        first = rungs[0][1]
        require_same(f"{name} at {shots} shots", own, f"{rival} at {shots} shots", its)
        require_same(f"{name} at {rungs[0][0]} shots", first, f"{name} at {shots} shots", own)
        pairs = paired_runs(own.runs, its.runs)
        # a draw of fewer shots is the beginning of the draw of the same number with more
        found.append({str(one.support).rpartition("/")[2]: (one, two) for one, two in pairs})
    shared = [draw for draw in found[0] if all(draw in rung for rung in found)] if found else []
    return [[rung[draw] for draw in shared] for rung in found]


def _pair(
    shots: Sequence[int], rungs: Sequence[Sequence[tuple[Run, Run]]], draws: int, seed: int
) -> dict[str, Any]:
    runs = len(rungs[0])
    counts = [aligned_counts(pairs) for pairs in rungs]
    method = np.stack([own for own, _ in counts])  # (k, r, n, 3)
    plain = np.stack([its for _, its in counts])  # (k, r, n, 3)
    ones = np.ones((1, method.shape[2]))
    every = np.arange(runs)[None, :]
    own, its = _drawn_f1(method, ones, every)[0], _drawn_f1(plain, ones, every)[0]  # (k,)
    points = _drawn_crossings(shots, method, plain, draws, seed)
    low, high = np.percentile(points, (2.5, 97.5), method="nearest")
    at = crossing(shots, list(its - own))
    return {
        "shots": list(shots),
        "runs": runs,
        "f1": [round(float(value), 6) for value in own],
        "f1_plain": [round(float(value), 6) for value in its],
        "crossing": None if at is None else round(at, 2),
        "interval": [
            None if math.isinf(bound) else round(float(bound), 2) for bound in (low, high)
        ],
        "draws_with_crossing": round(float(np.isfinite(points).mean()), 4),
    }


def _drawn_crossings(
    shots: Sequence[int], method: Counts, plain: Counts, draws: int, seed: int
) -> Counts:
    _, runs, sentences, _ = method.shape
    generator = np.random.default_rng(seed)
    points = []
    for begun in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - begun)
        supports = generator.integers(runs, size=(size, runs))
        picked = generator.integers(sentences, size=(size, sentences))
        weights = np.stack([np.bincount(row, minlength=sentences) for row in picked])
        drawn = weights.astype(np.float64)  # (c, n)
        differences = _drawn_f1(plain, drawn, supports) - _drawn_f1(method, drawn, supports)
        for row in differences:
            point = crossing(shots, list(row))
            points.append(math.inf if point is None else point)
    return np.array(points)


def _drawn_f1(counts: Counts, weights: Counts, supports: npt.NDArray[np.int64]) -> Counts:
    """Mean F1 over the support sets drawn, at each rung. Shape ``(c, k)``."""
    summed = np.einsum("cn,krnx->ckrx", weights, counts)  # (c, k, r, 3)
    total = summed[..., 1] + summed[..., 2]
    f1 = np.divide(2 * summed[..., 0], total, out=np.zeros_like(total), where=total > 0)
    picked = np.take_along_axis(f1, supports[:, None, :].repeat(f1.shape[1], axis=1), axis=2)
    mean: Counts = picked.mean(axis=2)
    return mean
