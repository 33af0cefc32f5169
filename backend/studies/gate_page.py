"""The page on the gate's errors and power, written from its measurement."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

from backend.studies import gate_trials


def gate_page(value: dict[str, Any]) -> str:
    """The page as Markdown; every figure on it comes from the measurement.

    Args:
        value: What :func:`backend.studies.gate_trials.measured` gave, with ``command``, ``code``,
            ``machine`` and ``seconds``, and the names of real results under ``results``.
    """
    parts = [
        "# The gate's errors",
        "Written by `nerloop bench gate` from [gate.json](gate.json), which holds all figures; no "
        "figure on this page was typed by hand. The gate's rules: [the loop](../explanation/"
        "loop.md).",
        f"```bash\n{value['command']}\n```",
        f"Processor: {value['machine']['processor']}, Python {value['machine']['python']}; code: "
        f"{value['code']}; {value['seconds']:.0f} s; seed {value['plan']['seed']}. Every gate is "
        "the shipped code with its 10,000 resamples (100,000 below a level of 1 %).",
        *_equal(value),
        *_two_looks(value),
        *_projects(value),
        *_gains(value),
    ]
    return "\n\n".join(parts) + "\n"


def promote_share(row: dict[str, Any]) -> str:
    """Share of gates that ended in PROMOTE, with its exact 95 % interval."""
    return _share(row["verdicts"]["PROMOTE"], sum(row["verdicts"].values()))


def exact_interval(count: int, total: int, level: float = 0.05) -> tuple[float, float]:
    """Interval of a share (Clopper and Pearson, 1934).

    Args:
        count: How often it happened.
        total: Of how many times.
        level: Two-sided share of intervals that miss the truth.

    Returns:
        Lower and upper end, in [0, 1].
    """

    def bound(reached: int, wanted: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            if at_least(reached, total, middle) < wanted:
                low = middle
            else:
                high = middle
        return low

    lower = 0.0 if count == 0 else bound(count, level / 2)
    upper = 1.0 if count == total else bound(count + 1, 1 - level / 2)
    return lower, upper


def at_least(count: int, total: int, share: float) -> float:
    """Chance of so many or more of ``total`` independent events of this chance."""
    below = sum(comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count))
    return max(0.0, 1.0 - below)


def _equal(value: dict[str, Any]) -> Sequence[str]:
    rows = [_verdicts(row) for row in value["equal"]]
    parts = [
        "## Equally good, but different: how often is one promoted by mistake?",
        "One look at two versions with the same expected F1 of 70 whose errors differ; two "
        "identical versions would prove nothing. Drawn documents have 2.5 gold spans of four "
        "labels on average; a quarter of what makes a span hard belongs to its document, a third "
        "to itself, the rest to each version alone. One look is given 2.5 %, both sides together, "
        "which intervals of few documents exceed somewhat; required is that at most 5 % are "
        "promoted. REJECT also has the guards of the labels, which share another 2.5 %.",
        _table(("documents", "gates", "PROMOTE", "95 % interval", "REJECT"), rows),
    ]
    if "real" in value:
        names = " and ".join(f"`{name}`" for name in value["results"])
        parts += [
            f"The same on real answers: {value['real_sentences']} sentences of {names}. Which of "
            "the two gave which answer is drawn anew for every sentence and every gate, so neither "
            "is better.",
            _table(
                ("documents", "gates", "PROMOTE", "95 % interval", "REJECT"),
                [_verdicts(row) for row in value["real"]],
            ),
        ]
    return parts


def _two_looks(value: dict[str, Any]) -> Sequence[str]:
    rows = []
    for row in value["two_looks"]:
        gates, twice = sum(row["verdicts"].values()), row["promoted_in_the_end"]
        rows.append((row["documents"], gates, promote_share(row), _share(twice, gates)))
    return [
        "## Two looks",
        "The policy `manual` allows a second look when the documents exist that HOLD asked for, at "
        f"2.5 % again; here it is taken at {gate_trials.SECOND_AT_MOST} documents at the latest. "
        "Equally good versions, PROMOTE by mistake with 95 % interval; the limit is 5 %:",
        _table(("documents at first", "gates", "first look", "both looks"), rows),
    ]


def _projects(value: dict[str, Any]) -> Sequence[str]:
    own, tried = value["projects"], value["plan"]["projects"]
    return [
        "## A project under `auto`",
        f"{own['looks']} versions, one after the other, all as good as the one that is served, on "
        f"one slice that grows from {own['begins']} documents by {gate_trials.PROJECT_GROWS} each "
        "time; look i spends 5 % · 6 / (π² i²). Projects in which one of them was promoted by "
        f"mistake: {own['fooled']} of {tried}: {_share(own['fooled'], tried)}.",
    ]


def _gains(value: dict[str, Any]) -> Sequence[str]:
    rows = [
        (
            f"+{100 * row['gain']:.0f} points",
            row["documents"],
            sum(row["verdicts"].values()),
            promote_share(row),
            _percent(row["verdicts"]["REJECT"] / sum(row["verdicts"].values())),
        )
        for row in value["gains"]
    ]
    return [
        "## Truly better: how often is that found?",
        "One look at drawn documents; the better version is promoted (95 % interval):",
        _table(("truly", "documents", "gates", "PROMOTE", "REJECT"), rows),
    ]


def _verdicts(row: dict[str, Any]) -> tuple[object, ...]:
    gates = sum(row["verdicts"].values())
    share, interval = promote_share(row).split(" (")
    rejected = _percent(row["verdicts"]["REJECT"] / gates)
    return row["documents"], gates, share, interval.rstrip(")"), rejected


def _share(count: int, total: int) -> str:
    low, high = exact_interval(count, total)
    return f"{_percent(count / total)} ({_percent(low)} to {_percent(high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
