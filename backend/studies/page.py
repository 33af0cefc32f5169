"""A study's page: its results as Markdown, no figure typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from backend.studies.markdown import markdown, percent, replace_file
from backend.studies.representation import FIGURES
from backend.studies.study import Study

_HEAD = (
    "arm",
    "F1",
    "std",
    "IO-F1",
    "P",
    "R",
    "difference [95 % interval]",
    "p (Holm)",
    "train s",
    "predict s",
    "peak MiB",
)

_ROLES = {
    "test": "test data",
    "development": "development data",
    "folds": "cut into folds together with the file the supports come from",
}


def write_page(folder: Path, study: Study, results: dict[str, Any]) -> Path:
    """Write ``NAME.json`` with the results and ``NAME.md`` with the page.

    Returns:
        The page.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    replace_file(folder / f"{study.name}.json", text)
    page = folder / f"{study.name}.md"
    replace_file(page, page_text(study, results))
    return page


def write_index(folder: Path, studies: Iterable[Study]) -> Path:
    """Write ``index.md``: every study with its question and how much of it has been measured.

    Raises:
        OSError: If the file cannot be written.
    """
    lines = [
        "# Studies",
        "",
        "Every study changes one thing at a time and measures it on the same sentences and support",
        "sets. Its page is written by its command from the results, which lie beside it as JSON:",
        "",
        "```bash",
        "nerloop bench study NAME --out RESULTS",
        "nerloop bench study NAME --out RESULTS --page FOLDER",
        "```",
        "",
        "The first command measures what is missing, the second writes page and JSON.",
        "Quick protocol: three support sets, 300 sentences drawn with seed 1, all labels asked of",
        "every sentence, strict spans. Ctrl-C stops a study, and the same command goes on. Every",
        "measurement is a file of its own in `RESULTS`, shared by studies that hold the same",
        "arm.",
        "",
        "| study | question | measured |",
        "|---|---|---|",
    ]
    for study in studies:
        path = folder / f"{study.name}.json"
        results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        lines.append(
            f"| [{study.title}]({study.name}.md) | {study.question} | {_state(study, results)} |"
        )
    index = folder / "index.md"
    replace_file(index, "\n".join(lines) + "\n")
    return index


def page_text(study: Study, results: dict[str, Any]) -> str:
    """The page as Markdown."""
    lines = [f"# {study.title}", "", study.question, ""]
    lines += [f"- {note}" for note in study.notes]
    lines += ["", *_how(study, results)]
    for table in results["tables"]:
        lines += ["", *_table(table)]
    if study.extra == "representation" and not results.get("representation"):
        lines += ["", "The hidden states have not been read yet."]
    for table in results.get("representation", ()):
        lines += ["", f"## States, {table['name']}", "", *_states(table["rows"])]
    for table in results.get("objectives", ()):
        lines += ["", f"## Steps, {table['name']}", "", *_steps(table)]
    if "crossover" in results:
        lines += ["", "## Crossing", "", *_crossings(results["crossover"])]
    return "\n".join(lines) + "\n"


def _how(study: Study, results: dict[str, Any]) -> list[str]:
    lines = ["```bash", _command(study, results), "```", ""]
    if minutes := results.get("minutes_missing"):
        lines += [f"What is missing takes about {minutes} minutes on two cores.", ""]
    if not any(table["rows"] for table in results["tables"]):
        return [*lines, "**Nothing has been measured yet.**"]
    environments = [
        f"{own['processor']}, {own['cores']} cores, {own.get('threads') or 'unknown'} threads,"
        f" Python {own['python']}, torch {own['torch']}"
        for own in results["environments"]
    ]
    settings = results["settings"]
    return [
        *lines,
        *_try_out(results),
        f"{results['seconds'] / 60:.1f} minutes of training and prediction in all, shared runs"
        f" included. Machine: {'; '.join(environments)}. Base model: {', '.join(results['base'])}."
        f" Code: {', '.join(results['code'])}."
        + (f" Settings of all arms: `{json.dumps(settings)}`." if settings else ""),
        "",
        "Strict micro scores in percent, mean and standard deviation over the runs. Differences are"
        " arm minus reference; the interval and p come from a paired bootstrap over support sets"
        f" and sentences ({results['draws']} draws), p corrected over all comparisons of this page"
        " (Holm). **Bold**: the interval leaves out 0 and the corrected p is below 0.05; anything"
        " else is no difference shown. Peak: highest memory of the process that measured the arm."
        + (
            ""
            if all(task.timed for task in study.tasks)
            else " Seconds are wall time beside whatever else the machine did, pauses included:"
            " only those of [Time and memory](cost.md) are to be compared."
        ),
    ]


def _command(study: Study, results: dict[str, Any]) -> str:
    """The command that goes on from these results: runs of other threads would not count."""
    threads = {own.get("threads") for own in results.get("environments", ())}
    same = f" --threads {threads.pop()}" if len(threads) == 1 and None not in threads else ""
    return f"nerloop bench study {study.name} --out RESULTS{same}"


def _try_out(results: dict[str, Any]) -> list[str]:
    if results["limit"] is None and results["supports"] is None:
        return []
    sentences = (
        f"{results['limit']} sentences" if results["limit"] else "all sentences of the tasks"
    )
    return [
        f"**This is a try-out, not the quick protocol**: {sentences}, support sets per task at most"
        f" {results['supports']}.",
        "",
    ]


def _table(table: dict[str, Any]) -> list[str]:
    about = f"{' + '.join(table['test'])} ({_ROLES[table['role']]});"
    about += f" supports: {'; '.join(table['supports'])}"
    if table["change"]:
        about += f"; scored texts changed: {table['change']}"
    lines = [f"## {table['name']}", "", f"{about}."]
    if table["rows"]:
        lines += ["", *markdown(_HEAD, [_row(row) for row in table["rows"]])]
        lines += ["", *(f"- {row['arm']}: {_code(row['settings'])}" for row in table["rows"])]
    if table["missing"]:
        lines += ["", f"Not measured yet: {', '.join(table['missing'])}."]
    partial = [row["arm"] for row in table["rows"] if len(row["runs"]) < row["runs_wanted"]]
    if partial:
        lines += ["", f"Some runs are still missing: {', '.join(partial)}."]
    return lines


def _row(row: dict[str, Any]) -> list[str]:
    mean, comparison = row["mean"], row["comparison"]
    difference = p = "–"
    if comparison is not None:
        low, high = comparison["interval"]
        difference = f"{100 * comparison['difference']:+.1f}"
        difference = f"**{difference}**" if comparison["shown"] else difference
        difference += f" [{100 * low:+.1f}, {100 * high:+.1f}]"
        p = f"{comparison['p_holm']:.2g}"
    return [
        row["arm"],
        percent(mean["f1"]),
        "–" if row["std"] is None else percent(row["std"]),
        percent(mean["io_f1"]),
        percent(mean["precision"]),
        percent(mean["recall"]),
        difference,
        p,
        f"{mean['seconds_train']:.1f}",
        f"{mean['seconds_predict']:.1f}",
        f"{row['peak_rss_mb']:.0f}",
    ]


def _states(rows: Sequence[dict[str, Any]]) -> list[str]:
    cells = []
    for row in rows:
        own = [row["arm"]]
        for figure in FIGURES:
            text = f"{row[figure]:.4f}"
            if f"{figure}_interval" in row:
                low, high = row[f"{figure}_interval"]
                text += f" ({row[f'{figure}_difference']:+.4f} [{low:+.4f}, {high:+.4f}])"
            own.append(text)
        cells.append(own)
    return [
        *markdown(("arm", *FIGURES), cells),
        "",
        f"{rows[0]['mentions']} mentions. In brackets the difference to {rows[0]['arm']} with its"
        " 95 % interval over runs and sentences.",
    ]


def _steps(table: dict[str, Any]) -> list[str]:
    curve = [f"loss at {100 * share:g} %" for share in table["curve_at"]]
    head = ("arm", "steps", "ms a step", "norm, first tenth", "norm, last tenth", *curve)
    cells = [
        [
            row["arm"],
            f"{row['steps']:.0f}",
            f"{1000 * row['seconds']:.0f}",
            f"{row['norm_first']:.3f}",
            f"{row['norm_last']:.3f}",
            *(f"{loss:.3f}" for loss in row["curve"]),
        ]
        for row in table["rows"]
    ]
    return [
        *markdown(head, cells),
        "",
        "Means over the trainings; times are medians over all steps but the first.",
    ]


def _crossings(found: Sequence[dict[str, Any]]) -> list[str]:
    if not found:
        return ["No ladder has been measured with both methods yet."]
    cells = [
        [
            row["test"],
            f"{row['arm']} / {row['plain']}",
            ", ".join(
                f"{shots}: {percent(own)} / {percent(its)}"
                for shots, own, its in zip(row["shots"], row["f1"], row["f1_plain"], strict=True)
            ),
            _shots(row["crossing"], row["shots"]),
            " to ".join(_shots(bound, row["shots"]) for bound in row["interval"]),
        ]
        for row in found
    ]
    return [
        *markdown(("data", "arms", "F1 by shots", "crossing, shots", "95 % interval"), cells),
        "",
        "The first number of shots at which plain fine-tuning is as good, between rungs by linear"
        " interpolation over the logarithm of the shots.",
    ]


def _shots(value: float | None, shots: Sequence[int]) -> str:
    return f"more than {shots[-1]}" if value is None else f"{value:.1f}"


def _state(study: Study, results: dict[str, Any] | None) -> str:
    rows = [row for table in (results or {"tables": []})["tables"] for row in table["rows"]]
    done = sum(len(row["runs"]) >= row["runs_wanted"] for row in rows)
    tables = {task.table for task in study.tasks}
    out = sum(
        all((arm.name, task.name) in study.left_out for task in study.tasks if task.table == table)
        for arm in study.arms
        for table in tables
    )
    return f"{done} of {len(study.arms) * len(tables) - out} arms"


def _code(settings: str) -> str:
    return settings if "=" not in settings else f"`{settings}`"
