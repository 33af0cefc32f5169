"""`nerloop bench promotion`: how soon an annotator sees a promoted version, on a running demo."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    ProjectOption,
    open_registry,
    settings_of,
)

if TYPE_CHECKING:
    from backend.demo.promotion_time import Summary, Timing

_TITLES = {
    "pushed": "Label Studio has its predictions (promoted before, or rolled back to)",
    "not pushed": "its predictions are pushed first",
}


def promotion(
    first: Annotated[int, typer.Option("--first", min=0, help="One version.")] = 0,
    second: Annotated[int, typer.Option("--second", min=0, help="The other.")] = 1,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Promotions each way.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="Page to write; its JSON goes beside it.")
    ] = None,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Promote two versions of the running demo in turn until its next task shows each.

    Works on the demo's own project and on no other, for it moves what annotators are served; the
    version served before is served again at the end.
    """
    from backend.demo import annotating
    from backend.demo.promotion_time import PromotionClock
    from backend.labelstudio.client import LabelStudioClient
    from backend.labelstudio.tokens import load_connection

    load = os.getloadavg()[0]
    settings = settings_of(home)
    timings: list[Timing] = []
    with open_registry(home) as database:
        with database.read() as session:
            chosen = annotating.demo_project(session, project)
        connection = load_connection(settings.secrets, chosen.id)
        with LabelStudioClient(connection.url, connection.token) as client:
            annotating.require_demo(chosen.ls_id, client.project(chosen.ls_id).title)
            clock = PromotionClock(client, database, chosen, (first, second))
            for timing in clock.measure(repeats):
                timings.append(timing)
                typer.echo(f"{timing.version}, {timing.way}: {timing.seconds:.2f} s")
    options = ["--first", str(first), "--second", str(second), "--repeats", str(repeats)]
    value = measured(timings, options, load)
    written = json.dumps(value, indent=2) + "\n"
    if json_file is not None:
        json_file.write_text(written, encoding="utf-8")
    if page is not None:
        page.with_suffix(".json").write_text(written, encoding="utf-8")
        page.write_text(promotion_page(value), encoding="utf-8")
    typer.echo(table(value))


def measured(timings: list[Timing], options: list[str], load: float) -> dict[str, Any]:
    """The figures as a JSON value.

    Args:
        timings: Every promotion.
        options: Those of the command.
        load: Processes that wanted a core when the measurement began, averaged over a minute.
    """
    from backend.courier.rounds import POLL_SECONDS
    from backend.demo.promotion_time import WAYS, summary
    from model.evaluation.machine import code_version, machine

    def figures(found: Summary | None) -> dict[str, Any] | None:
        return None if found is None else asdict(found)

    return {
        "code": code_version(),
        "machine": machine(),
        "options": options,
        "load_average": round(load, 1),
        "courier_poll_seconds": POLL_SECONDS,
        "ways": {way: figures(summary(timings, way)) for way in WAYS},
        "promotions": [asdict(timing) for timing in timings],
    }


def table(value: dict[str, Any]) -> str:
    """The times as a Markdown table, in seconds."""
    lines = [
        "| the version promoted | promotions | rows pushed | median, s | lowest | highest |",
        "|---|---|---|---|---|---|",
    ]
    for way, title in _TITLES.items():
        found = value["ways"][way]
        rows = max((p["rows"] for p in value["promotions"] if p["way"] == way), default=0)
        if found is not None:
            lines.append(
                f"| {title} | {found['repeats']} | {rows} | {found['median']:.2f} | "
                f"{found['lowest']:.2f} | {found['highest']:.2f} |"
            )
    return "\n".join(lines)


def promotion_page(value: dict[str, Any]) -> str:
    """The page as Markdown; every figure on it comes from the measurement."""
    machine = value["machine"]
    commit = max(item["commit_seconds"] for item in value["promotions"])
    parts = [
        "# From promotion to annotator",
        "Written by `nerloop bench promotion` from [promotion.json](promotion.json), which holds "
        "every promotion; no figure on this page was typed by hand.",
        f"Processor: {machine['processor']}, {machine['cores']} cores; Python "
        f"{machine['python']}. Code: {value['code']}. Label Studio 1.23.2, its database and "
        "nerloop run on this one machine; when the measurement began, "
        f"{value['load_average']:.1f} processes wanted a core (average over a minute), the demo's "
        "own included.",
        "```bash\nnerloop demo\n"
        "nerloop demo-annotate --all   # until there is a second version\n"
        f"nerloop bench promotion {' '.join(value['options'])} --page PAGE\n```",
        "The time from the end of the promoting transaction until Label Studio's `/next`, asked "
        "again and again, hands out a task with predictions of that version:",
        table(value),
        f"The courier looks at the alias every {value['courier_poll_seconds']:.0f} s, so half of "
        "that is waiting on average. The rest is Label Studio: a bulk push where its rows are "
        "missing, one change of the project's version, and one question for the next task. The "
        f"promoting transaction itself took at most {1000 * commit:.0f} ms. No model is asked and "
        "nothing is trained: what an annotator sees had been predicted before.",
        "Rolling back is the first row: Label Studio keeps the predictions of the version served "
        "before. A version nobody predicted with yet takes longer by its window of predictions; "
        "versions predict theirs as soon as they are made.",
    ]
    return "\n\n".join(parts) + "\n"
