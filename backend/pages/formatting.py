"""Numbers, times and digests in the words a page shows."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "–"
MINUS = "−"


def percent(share: float | None) -> str:
    """A share in [0, 1] as percent with one decimal: ``71.4``."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, always with its sign: ``+3.1``."""
    if difference is None:
        return NOTHING
    shown = f"{abs(100 * difference):.1f}"
    if shown == "0.0":
        return "±0.0"
    return f"{'+' if difference > 0 else MINUS}{shown}"


def span(low: float | None, high: float | None) -> str:
    """An interval of shares in [0, 1]: ``66.0 to 77.2``."""
    return NOTHING if low is None or high is None else f"{percent(low)} to {percent(high)}"


def change(low: float | None, high: float | None) -> str:
    """An interval of differences: ``+0.4 to +6.6``."""
    return NOTHING if low is None or high is None else f"{points(low)} to {points(high)}"


def short(digest: str | None) -> str:
    """The first 12 characters of a digest, enough to tell two apart."""
    return NOTHING if not digest else digest[:12]


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 text``, ``2 texts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def ticked(sentence: object) -> list[str]:
    """A sentence cut at its back ticks: every second part, from the second on, is code."""
    parts = str(sentence).split("`")
    # one back tick without a partner means itself
    return parts if len(parts) % 2 else [str(sentence)]


def moment(at: datetime | None) -> str:
    """A time as everybody reads it, in UTC: ``2026-11-20 18:05 UTC``."""
    return NOTHING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in its largest unit: ``5 min ago``."""
    if at is None:
        return NOTHING
    seconds = (now - at).total_seconds()
    return "just now" if seconds < 10 else f"{duration(seconds)} ago"


def duration(seconds: float | None) -> str:
    """A time span in its largest unit: ``40 s``, ``5 min``, ``3 h``, ``2 days``."""
    if seconds is None:
        return NOTHING
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        whole = int(seconds // size)
        if whole:
            return count(whole, unit) if unit == "day" else f"{whole} {unit}"
    return f"{max(0, round(seconds))} s"
