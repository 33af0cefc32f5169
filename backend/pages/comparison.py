"""Two versions side by side: labels, the texts whose answers changed, the data behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.pages.heading import Heading, heading
from backend.pages.intervals import Drawn, drawn, reach
from backend.pages.marking import Piece, answer_pieces, gold_pieces
from model.registry import aliases, previous, versions
from model.registry.comparing import ChangedText, LabelRow, VersionComparison, compare
from model.registry.data_difference import ChangedGold, TrainingText
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.versions import VersionView

SHOWN = 100
"""Changed texts on the page; the worst come first."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text whose answers changed; without its three rows if the text was purged."""

    changed: ChangedText
    gold: tuple[Piece, ...]
    first: tuple[Piece, ...]
    second: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Everything the page shows.

    Attributes:
        head: The project's head.
        choices: Every version, newest first.
        found: The comparison; None if there is nothing to compare with.
        drawn: The interval of the whole difference.
        labels: Rows by label with their intervals, drawn to one scale.
        texts: Texts whose answers changed, the worst first.
        kind: ``fixed``, ``broken`` or ``other`` if only those are listed, else empty.
        total: How many texts that are.
        only_first: Training texts of the first version alone, with their tasks.
        only_second: Training texts of the second version alone.
        regilded: Training texts of both with other gold: task, before, after.
    """

    head: Heading
    choices: list[VersionView]
    found: VersionComparison | None
    drawn: Drawn | None = None
    labels: tuple[tuple[LabelRow, Drawn | None], ...] = ()
    texts: tuple[ShownText, ...] = ()
    kind: str = ""
    total: int = 0
    only_first: tuple[tuple[int, tuple[Piece, ...]], ...] = ()
    only_second: tuple[tuple[int, tuple[Piece, ...]], ...] = ()
    regilded: tuple[tuple[int, tuple[Piece, ...], tuple[Piece, ...]], ...] = ()


def compare_page(
    session: Session,
    row: Project,
    first: int | None,
    second: int | None,
    kind: str,
    may_decide: bool,
) -> ComparePage:
    """Read what the page shows.

    Args:
        session: An open session.
        row: The project.
        first: Number of the one version; None takes the served one.
        second: Number of the other; None takes the candidate, else the version served before.
        kind: List texts of this kind only; empty lists all.
        may_decide: Whether whoever looks may promote.

    Raises:
        UnknownVersionError: If there is no version of such a number.
        RegistryError: If both numbers are the same.
    """
    head = heading(session, row, may_decide)
    choices = versions.versions(session, row.id)[::-1]
    one = head.served if first is None else first
    two = _other(session, row.id, one, choices) if second is None else second
    if two is None:
        return ComparePage(head, choices, None)
    return _compared(head, choices, compare(session, row.id, one, two), kind)


def _compared(
    head: Heading, choices: list[VersionView], found: VersionComparison, kind: str
) -> ComparePage:
    wanted = [item for item in found.changed if kind in ("", item.kind)]
    span = reach(bound for label in found.labels for bound in (label.low, label.high))
    return ComparePage(
        head=head,
        choices=choices,
        found=found,
        drawn=drawn(found.delta, found.low, found.high, reach((found.low, found.high))),
        labels=tuple((item, drawn(item.delta, item.low, item.high, span)) for item in found.labels),
        texts=tuple(shown(item) for item in wanted[:SHOWN]),
        kind=kind,
        total=len(wanted),
        only_first=_alone(found.data.only_first.shown),
        only_second=_alone(found.data.only_second.shown),
        regilded=tuple(_both(item) for item in found.data.changed.shown[:SHOWN]),
    )


def _alone(texts: Sequence[TrainingText]) -> tuple[tuple[int, tuple[Piece, ...]], ...]:
    return tuple((item.task_id, gold_pieces(item.text or "", item.spans)) for item in texts[:SHOWN])


def _both(item: ChangedGold) -> tuple[int, tuple[Piece, ...], tuple[Piece, ...]]:
    text = item.text or ""
    return item.task_id, gold_pieces(text, item.first), gold_pieces(text, item.second)


def shown(item: ChangedText) -> ShownText:
    """A changed text cut into pieces."""
    text = item.text
    if text is None:
        return ShownText(item, (), (), ())
    return ShownText(
        item,
        gold_pieces(text, item.gold),
        answer_pieces(text, item.gold, item.first),
        answer_pieces(text, item.gold, item.second),
    )


def _other(session: Session, project_id: int, one: int, choices: list[VersionView]) -> int | None:
    waiting = aliases.candidate(session, project_id)
    if waiting is not None and waiting.number != one:
        return waiting.number
    before = previous.previous_served(session, project_id)
    if before is not None and before != one:
        return before
    return next((view.number for view in choices if view.number != one), None)
