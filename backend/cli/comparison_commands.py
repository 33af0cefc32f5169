"""`nerloop versions compare`: scores by label, texts whose predictions changed, training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.printing import print_json, print_table
from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ProjectOption,
    chosen_project,
    open_registry,
)
from backend.cli.version_commands import NumberArgument
from backend.pages.formatting import change, count, percent, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.registry.comparing import ChangedText, VersionComparison
    from model.spans import Span

SHOWN = 10
"""Changed texts shown where nobody asks for another number."""

LONGEST = 80
"""Characters of a text shown in a table."""


def compare(
    first: NumberArgument,
    second: NumberArgument,
    texts: Annotated[
        int, typer.Option("--texts", min=0, help="How many changed texts to show.")
    ] = SHOWN,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions on the held-out texts both answered: the second against the first."""
    from model.registry import comparing

    with open_registry(home) as database, database.read() as session:
        row = chosen_project(session, project)
        found = comparing.compare(session, row.id, first, second)
    if as_json:
        print_json(found)
        return
    _tell_scores(found)
    if found.changed and texts:
        _tell_texts(found, texts)
    _tell_data(found)


def _tell_scores(found: VersionComparison) -> None:
    one, two = found.first, found.second
    if found.why_not:
        typer.echo(found.why_not)
    if found.first_scores is None or found.second_scores is None:
        return
    typer.echo(
        f"{two.name} against {one.name} on {count(found.documents, 'held-out text')}: F1 "
        f"{percent(found.second_scores.f1)} instead of {percent(found.first_scores.f1)}, "
        f"{points(found.delta)} points ({change(found.low, found.high)}, p {found.p or 0:.2g})."
    )
    if found.labels:
        print_table(
            ("label", "gold", f"F1 of {one.number}", f"F1 of {two.number}", "change (95 %)"),
            [
                (
                    row.label,
                    row.gold,
                    percent(row.first.f1),
                    percent(row.second.f1),
                    f"{points(row.delta)} ({change(row.low, row.high)})",
                )
                for row in found.labels
            ],
        )


def _tell_texts(found: VersionComparison, most: int) -> None:
    typer.echo(
        f"\nPredictions changed in {count(len(found.changed), 'text')}: {found.fixed} fixed, "
        f"{found.broken} broken, {found.other} other; {found.same} stayed as they were."
    )
    numbers = found.first.number, found.second.number
    columns = ("task", "what", "text", "gold", *(f"version {number}" for number in numbers))
    print_table(columns, [_text(item) for item in found.changed[:most]])
    if len(found.changed) > most:
        typer.echo(f"{len(found.changed) - most} more; --texts N shows more of them.")


def _text(item: ChangedText) -> tuple[object, ...]:
    text = item.text
    shown = "(purged)" if text is None else " ".join(text.split())
    if len(shown) > LONGEST:
        shown = shown[: LONGEST - 1] + "…"
    sides = (item.gold, item.first, item.second)
    return item.task_id, item.kind, shown, *(_spans(text, side) for side in sides)


def _spans(text: str | None, spans: Sequence[Span]) -> str:
    if not spans:
        return "none"
    return ", ".join(
        f"{s.label}: {f'{s.start}-{s.end}' if text is None else text[s.start : s.end]}"
        for s in spans
    )


def _tell_data(found: VersionComparison) -> None:
    data = found.data
    typer.echo(
        f"\nTrained on {count(data.second_texts, 'text')} with {count(data.second_shots, 'shot')} "
        f"instead of {count(data.first_texts, 'text')} with {count(data.first_shots, 'shot')}: "
        f"{data.only_second.total} new, {data.only_first.total} gone, "
        f"{data.changed.total} with other gold."
    )
