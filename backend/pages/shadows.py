"""Shadow scores by stream: a table, the curves of its plot, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.plots import Curve
from model.registry.shadow import STREAMS, ShadowSeries

SETTLED = 5
"""Documents before a rolling score says anything; earlier points are not drawn."""

ABOUT = {
    "held-out": (
        "Held-out texts",
        "Blind and drawn at random: nobody saw a suggestion, so these scores are unbiased.",
    ),
    "random": (
        "Random texts",
        "Drawn at random, but people saw one version's spans. That favours this version; for its "
        "challengers the score is a lower bound.",
    ),
    "active": (
        "Chosen texts",
        "The texts that were hard for a version, with suggestions shown. A sudden fall is an "
        "alarm; the height says little.",
    ),
}


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream of documents.

    Attributes:
        stream: Its name in addresses.
        title: Its name for people.
        about: How to read its scores.
        series: Its scores, one for each version that has any.
        alt: The plot in words.
        labels: F1 of each label for each of the series; None where a version saw none of it.
    """

    stream: str
    title: str
    about: str
    series: tuple[ShadowSeries, ...]
    alt: str
    labels: tuple[tuple[str, tuple[float | None, ...]], ...]


def streams(found: Sequence[ShadowSeries]) -> tuple[StreamView, ...]:
    """The three streams, never mixed."""
    return tuple(_stream(name, found) for name in STREAMS)


def curves(found: Sequence[ShadowSeries], stream: str) -> tuple[Curve, ...]:
    """The lines of a stream's plot."""
    return tuple(
        Curve(f"{item.number} {item.state}", points)
        for item in found
        if item.stream == stream
        and (points := [(p.document, p.f1) for p in item.points if p.document >= SETTLED])
    )


def _stream(name: str, found: Sequence[ShadowSeries]) -> StreamView:
    title, about = ABOUT[name]
    own = tuple(item for item in found if item.stream == name and item.f1 is not None)
    told = "; ".join(
        f"version {item.number} ({item.state}) at {100 * (item.f1 or 0):.1f} after "
        f"{item.total} documents"
        for item in own
    )
    alt = f"Rolling F1 by document: {told}." if told else "No document was scored yet."
    return StreamView(name, title, about, own, alt, _labels(own))


def _labels(own: Sequence[ShadowSeries]) -> tuple[tuple[str, tuple[float | None, ...]], ...]:
    shares = [{label.label: label.f1 for label in item.labels} for item in own]
    names = sorted({name for found in shares for name in found})
    return tuple((name, tuple(found.get(name) for found in shares)) for name in names)
