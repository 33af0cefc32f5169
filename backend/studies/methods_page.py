"""The page of the comparison: its results as Markdown, no measured figure typed by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.studies.markdown import markdown, percent, replace_file
from backend.studies.methods_table import LABEL_AWARE, TRAINED, ZERO_SHOT
from backend.studies.published import PUBLISHED, PublishedTable

NAME = "methods"
MISSING = "not measured yet"

_INTRODUCTION = (
    "# Comparison of the methods",
    "",
    "Strict micro-F1 in percent: start, end and label exact, all labels asked of every "
    "sentence. Every figure was measured here, with the same supports, sentences and scorer; "
    "those of others stand below, apart. Quick and full protocol never share a column.",
    "",
    "- **Full**: ten fixed support sets, the whole test file, one training seed for each. GUM "
    "without the one sentence that is also in `support/gum/5shot/3.conll`.",
    "- **Quick**: three support sets drawn greedily, 300 sentences drawn with seed 1. The "
    "support sets of uner_pud_de come from its only file, without the scored sentences.",
    "- **Episodes**: the 200 stored ones of `docs/experiments/episodes`, one F1 over all "
    "their queries.",
    "- **Source data**: one corpus for all, `fewnerd_inter/train`, about a fifth of Few-"
    "NERD INTER's train split, but not one recipe. `cllmfs` (10,800 texts) and "
    "`label_aware` (9,600) start from their shipped base adapters, whose labels come in "
    "varying words, part of whose texts are made noisy, and a tenth of whose texts were "
    "written for this project and filled with names of the corpus; the baselines start from "
    "source stages of 300 steps of 32 texts or of one episode, with the corpus' own labels "
    "(`nerloop base train`). `tagger` has no source stage. `label_aware (faithful)` is the "
    "published recipe of the few-shot stage, from the shipped adapter too.",
    "- **Base models**: `cllmfs` is a language model of 135 million weights, all others are "
    "one encoder of 22 million weights.",
    "- **Nested**: all gold spans of both levels of germeval14 are one set. `cllmfs` and "
    "`label_aware` are told that spans may overlap, the others cannot answer such spans.",
    "",
    "± is the standard deviation over the support sets; of episodes, in brackets, the 95 % "
    "interval over episodes. **Bold**: the best of its column, where a paired bootstrap over "
    "support sets and sentences (of episodes: over episodes) shows it to be above the second, "
    "p corrected over the column (Holm). Where nothing is bold, no difference between the "
    "best two is shown.",
)


def write_methods_page(folder: Path, results: dict[str, Any]) -> Path:
    """Write ``methods.json`` with the results and ``methods.md`` with the page.

    Returns:
        The page.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    replace_file(folder / f"{NAME}.json", text)
    page = folder / f"{NAME}.md"
    replace_file(page, methods_page_text(results))
    return page


def methods_page_text(results: dict[str, Any]) -> str:
    """The page as Markdown."""
    columns = results["columns"]
    lines = [*_INTRODUCTION, "", *_how(results)]
    for title, protocol, zero_shot in (
        ("Full protocol", "full", False),
        ("Quick protocol", "quick", False),
        ("Episodes", "episodes", False),
        ("Zero-shot, full protocol", "full", True),
        ("Zero-shot, quick protocol", "quick", True),
    ):
        own = [
            column
            for column in columns
            if (column["protocol"], column["zero_shot"]) == (protocol, zero_shot)
        ]
        if own:
            lines += ["", f"## {title}", "", *_table(own, zero_shot)]
    lines += ["", "## Time", "", *_times(columns)]
    lines += ["", "## Label-aware against the others", "", *_label_aware(columns)]
    lines += ["", "## Column by column", "", *_details(columns)]
    lines += ["", "## Published figures", "", *_published()]
    return "\n".join(lines) + "\n"


def _how(results: dict[str, Any]) -> list[str]:
    lines = [
        "```bash",
        "nerloop base train --method nnshot --out sources/nnshot    # and each other baseline",
        "nerloop bench methods --out RESULTS --sources sources",
        "nerloop bench methods --out RESULTS --sources sources --page docs/experiments",
        "```",
        "",
    ]
    if results["limit"] is not None or results["supports"] is not None:
        lines += ["**This is a try-out**, with fewer sentences or support sets.", ""]
    if minutes := results.get("minutes_missing"):
        lines += [f"What is missing takes about {minutes} minutes on one core.", ""]
    if not results["environments"]:
        return [*lines, "**Nothing has been measured yet.**"]
    machines = [
        f"{own['processor']}, {own.get('threads') or 'unknown'} threads, Python {own['python']},"
        f" torch {own['torch']}"
        for own in results["environments"]
    ]
    return [
        *lines,
        f"{results['seconds'] / 60:.0f} minutes of training and prediction so far. Machine:"
        f" {'; '.join(dict.fromkeys(machines))}. Base models: {', '.join(results['base'])}."
        f" Code: {', '.join(results['code'])}. {results['draws']} bootstrap draws. Every run:"
        f" `{NAME}.json` beside this page, and the files of `RESULTS`.",
    ]


def _table(columns: Sequence[dict[str, Any]], zero_shot: bool) -> list[str]:
    systems = [arm.name for arm in (ZERO_SHOT if zero_shot else TRAINED)]
    named = {row["system"] for column in columns for row in column["rows"]}
    systems += sorted(named - set(systems))
    rows = [[system, *(_cell(column, system) for column in columns)] for system in systems]
    rows = [own for own in rows if any(cell != "–" for cell in own[1:])]
    return markdown(("system", *(column["title"] for column in columns)), rows)


def _cell(column: dict[str, Any], system: str) -> str:
    row = _row_of(column, system)
    if row is None:
        return MISSING if system in column["missing"] else "–"
    figure = percent(row["f1"])
    if row["interval"] is not None:
        low, high = row["interval"]
        figure += f" [{percent(low)}, {percent(high)}]"
    elif row["wanted"] > 1:
        figure += f" ± {percent(row['std'])}"
    if row["runs"] < row["wanted"]:
        return f"{figure} ({row['runs']} of {row['wanted']} runs)"
    return f"**{figure}**" if column["shown"] and column["best"] == system else figure


def _row_of(column: dict[str, Any], system: str) -> dict[str, Any] | None:
    own: dict[str, Any]
    for own in column["rows"]:
        if own["system"] == system:
            return own
    return None


def _times(columns: Sequence[dict[str, Any]]) -> list[str]:
    measured = [column for column in columns if column["rows"] and not column["zero_shot"]]
    if not measured:
        return [f"{MISSING.capitalize()}."]
    cells = []
    for arm in TRAINED:
        own = [_row_of(column, arm.name) for column in measured]
        if any(own):
            cells.append([arm.name, *(_time(row) for row in own)])
    return [
        "Seconds of a fit, and milliseconds to predict one sentence.",
        "",
        *markdown(("system", *(column["title"] for column in measured)), cells),
    ]


def _time(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{row['seconds_train']:.1f} s, {1000 * row['seconds_per_text']:.1f} ms"


def _label_aware(columns: Sequence[dict[str, Any]]) -> list[str]:
    found = [column for column in columns if column["label_aware"] and not column["zero_shot"]]
    if not found:
        return [f"{LABEL_AWARE.name}: {MISSING}."]
    cells, above_all = [], 0
    for column in found:
        own = column["label_aware"]
        seeds = own["seed_baselines"]
        above = [name for name in seeds if name in own["above"]]
        above_all += bool(seeds) and len(above) == len(seeds)
        cells.append(
            [
                column["title"],
                f"{len(above)} of {len(seeds)}",
                ", ".join(own["above"]) or "none",
                ", ".join(
                    row["system"]
                    for row in own["comparisons"]
                    if row["shown"] and row["difference"] < 0
                )
                or "none",
            ]
        )
    return [
        "ProtoBERT, NNShot, StructShot, CONTaiNER and ProML on the same encoder: the label-aware"
        " method is shown to be above all of them that have been measured in"
        f" {above_all} of {len(found)} columns.",
        "",
        *markdown(("column", "above of the five", "shown above", "shown below"), cells),
    ]


def _details(columns: Sequence[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for column in columns:
        if not column["rows"]:
            continue
        apart = f"; {column['apart']} left out of the figures" if column["apart"] else ""
        lines += [
            f"### {column['title']}",
            "",
            f"`{column['test']}`, {column['protocol']} protocol, {column['sentences']}"
            f" sentences{apart}; supports: {column['supports']}.",
            "",
            *markdown(_HEAD, [_detail(column, row) for row in column["rows"]]),
            "",
        ]
    lines.append(
        "IO-F1 merges adjacent spans of one label; it and the wrong answers on absent labels cover"
        " all sentences, also those left out. Differences are system minus the best of the column."
    )
    return lines


_HEAD = (
    *("system", "runs", "P", "R", "F1", "IO-F1", "wrong on absent"),
    *("difference [95 % interval]", "p (Holm)", "peak MiB"),
)


def _detail(column: dict[str, Any], row: dict[str, Any]) -> list[str]:
    difference = p = "–"
    for verdict in column["against_best"]:
        if verdict["system"] == row["system"]:
            low, high = (-100 * bound for bound in verdict["interval"])
            difference = f"{-100 * verdict['difference']:+.1f} [{high:+.1f}, {low:+.1f}]"
            p = f"{verdict['p_holm']:.2g}"
    figures = [percent(row[name]) for name in ("precision", "recall", "f1", "io_f1")]
    absent = f"{row['false_nonempty']:.0f}"
    return [
        row["system"],
        f"{row['runs']} of {row['wanted']}",
        *figures,
        absent,
        difference,
        p,
        f"{row['peak_rss_mb']:.0f}",
    ]


def _published() -> list[str]:
    lines = ["Figures of others, beside ours for the kind of them; none was measured here."]
    for table in PUBLISHED:
        lines += ["", f"### {table.title}", "", *_of_others(table), ""]
        lines += [f"- {caveat}" for caveat in table.caveats]
    return lines


def _of_others(table: PublishedTable) -> list[str]:
    cells = [
        [row.system, *(value or "–" for value in row.values), row.source] for row in table.rows
    ]
    return markdown(("system", *table.columns, "source"), cells)
