"""Plots of the admin pages, as SVG pictures that read well in the dark and in the light."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, NARROW, HEIGHT = 7.6, 4.4, 2.9
"""Sizes of a plot in inches; a page scales it, the narrow one on a telephone."""

INK, SOFT, LINE = "#010101", "#020202", "#030303"
HUES = ("#0a0101", "#0a0202", "#0a0303")
"""Stand-ins that no plot uses by chance; each becomes a colour of the page's scheme."""

COLOURS = {
    # stand-in: (in the light, in the dark)
    INK: ("#17211f", "#e7edeb"),
    SOFT: ("#51605c", "#adbbb6"),
    LINE: ("#dde3e1", "#2a3431"),
    HUES[0]: ("#0f766e", "#4fd1c4"),
    HUES[1]: ("#b4540a", "#f0a35e"),
    HUES[2]: ("#5b54b8", "#b3acf7"),
}
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
_STAND_IN = re.compile("|".join(COLOURS))
_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a plot: its name and its points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


def loss_plot(losses: Sequence[tuple[int, float]], steps: int, *, narrow: bool = False) -> bytes:
    """The training loss by step.

    Args:
        losses: Steps with their loss in nats.
        steps: Steps of the whole run.
        narrow: For a small screen.

    Returns:
        An SVG picture.
    """

    def draw(axes: Axes) -> None:
        axes.plot(*zip(*losses, strict=True), color=HUES[0], linewidth=1.8)
        axes.set_xlim(0, max(steps, losses[-1][0], 1))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step")
        axes.set_ylabel("loss (nats)")

    return _picture(draw if losses else _nothing, NARROW if narrow else WIDTH)


def shadow_plot(curves: Sequence[Curve], *, narrow: bool = False) -> bytes:
    """Rolling F1 by document, one line per version.

    Args:
        curves: At most three, with F1 in [0, 1]; the lines differ by colour and by dashes.
        narrow: For a small screen.

    Returns:
        An SVG picture.
    """
    drawn = [curve for curve in curves if curve.points]

    def draw(axes: Axes) -> None:
        lowest = min(share for curve in drawn for _, share in curve.points)
        bottom = max(0, int(10 * lowest) * 10 - 10)
        heights = _apart([100 * curve.points[-1][1] for curve in drawn], (100 - bottom) / 13)
        for curve, hue, dash, height in zip(drawn, HUES, DASHES, heights, strict=False):
            across, shares = zip(*curve.points, strict=True)
            values = [100 * share for share in shares]
            axes.plot(across, values, color=hue, linestyle=dash, linewidth=1.8)
            axes.annotate(
                curve.name,
                (across[-1], height),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=hue,
                parse_math=False,
            )
        furthest = max(curve.points[-1][0] for curve in drawn)
        axes.set_xlim(0, furthest * (1.3 if narrow else 1.16) + 1)
        axes.set_ylim(bottom, 102)
        axes.set_xlabel("texts, as people answered them")
        axes.set_ylabel("F1 (%)")

    return _picture(draw if drawn else _nothing, NARROW if narrow else WIDTH)


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """Heights of names so far apart that none covers another, the lowest where it is."""
    found = list(heights)
    order = sorted(range(len(found)), key=lambda place: found[place])
    for below, above in pairwise(order):
        found[above] = max(found[above], found[below] + least)
    return found


def _nothing(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "nothing to draw yet", ha="center", va="center", color=SOFT)


def _picture(draw: Callable[[Axes], None], width: float) -> bytes:
    with _style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        draw(axes)
        target = io.BytesIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    return _themed(target.getvalue().decode("utf-8")).encode("utf-8")


@contextmanager
def _style() -> Iterator[None]:
    # not on top: the library takes a second to load and most pages have no plot
    import matplotlib as mpl

    wanted: Any = {  # only some releases of matplotlib list the names in their types
        "svg.hashsalt": "nerloop",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": SOFT,
        "axes.edgecolor": LINE,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "text.parse_math": False,
    }
    with _LOCK, mpl.rc_context(wanted):  # the settings are the process's, and requests are threads
        yield


def _themed(svg: str) -> str:
    names = {stand_in: f"c{number}" for number, stand_in in enumerate(COLOURS)}
    light = "".join(f"--{names[key]}:{COLOURS[key][0]};" for key in COLOURS)
    dark = "".join(f"--{names[key]}:{COLOURS[key][1]};" for key in COLOURS)
    sheet = (
        f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        "text{font-family:Inter,'Segoe UI','Helvetica Neue',Roboto,'Liberation Sans',sans-serif"
        " !important}</style>"
    )
    inside = _STAND_IN.sub(lambda found: f"var(--{names[found.group()]})", svg)
    head, tag, rest = inside.partition("<defs>")
    return f"{head}{sheet}{tag}{rest}"
