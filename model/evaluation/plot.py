"""F1 of several reports as bars with their runs as points."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.evaluation.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR = "#4f8fa8"
POINT = "#1d3a45"


def f1_plot(reports: Sequence[tuple[str, Report]], *, title: str = "") -> dict[str, bytes]:
    """Draw one bar per report: mean strict F1, standard deviation over runs, a point per run.

    The SVG holds no date and no random names: equal reports give equal bytes.

    Args:
        reports: Names and reports with at least one run each.
        title: Stands above the bars.

    Returns:
        The pictures ``png`` and ``svg``.

    Raises:
        ValueError: If there is no report, or one without a run.
    """
    # not on top: most commands draw nothing, and the library takes a second to load
    import matplotlib as mpl
    from matplotlib.figure import Figure

    values = [[100 * run.f1 for run in report.runs] for _, report in reports]
    if not values or not all(values):
        raise ValueError("every report needs at least one run")
    with mpl.rc_context({"svg.hashsalt": "nerloop", "svg.fonttype": "none"}):
        figure = Figure(figsize=(max(3.2, 1.1 * len(values) + 1.4), 3.6), layout="constrained")
        axes = figure.add_subplot()
        places = range(len(values))
        means = [statistics.fmean(own) for own in values]
        spread = [statistics.stdev(own) if own[1:] else 0.0 for own in values]
        axes.bar(places, means, width=0.6, yerr=spread, capsize=4, color=BAR, ecolor=POINT)
        for place, own in zip(places, values, strict=True):
            middle = (len(own) - 1) / 2
            across = [place + 0.3 * (number - middle) / len(own) for number in range(len(own))]
            axes.plot(across, own, linestyle="", marker="o", markersize=3.5, color=POINT)
        axes.set_xticks(list(places), [name for name, _ in reports], rotation=20, ha="right")
        axes.set_ylabel("strict F1 (%)")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        if title:
            axes.set_title(title)
        return {"png": _bytes(figure, "png"), "svg": _bytes(figure, "svg")}


def _bytes(figure: Figure, kind: str) -> bytes:
    target = io.BytesIO()
    undated = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(target, format=kind, dpi=150, metadata=undated)
    return target.getvalue()
