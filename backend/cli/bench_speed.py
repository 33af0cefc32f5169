"""`nerloop bench speed`: the page of the two speed measurements, written from their files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.bench_options import writable
from model.errors import NerLoopError

_WIDTH = 110


class SpeedPageError(NerLoopError):
    """The page cannot be written from these files."""


def speed(
    predict: Annotated[Path, typer.Option("--predict", help="JSON of `nerloop bench predict`.")],
    train: Annotated[Path, typer.Option("--train", help="JSON of `nerloop bench train`.")],
    page: Annotated[
        Path,
        typer.Option("--page", help="Page to write; its JSON goes beside it.", callback=writable),
    ],
    note: Annotated[str, typer.Option("--note", help="Stands below the commands.")] = "",
) -> None:
    """Write the page with the measured speeds, and both measurements as one JSON beside it."""
    value = {"predict": _read(predict, "floor"), "train": _read(train, "packed")}
    if note:
        value["note"] = {"text": note}
    beside = page.with_suffix(".json")
    beside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    page.write_text(speed_page(value), encoding="utf-8")
    typer.echo(f"wrote {page} and {beside}")


def _read(path: Path, part: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpeedPageError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict) or part not in value:
        raise SpeedPageError(f"{path} is not the measurement that is wanted there.")
    if "options" not in value:
        raise SpeedPageError(f"{path} does not say how it was measured. Measure it again.")
    return value


def speed_page(value: dict[str, Any]) -> str:
    """The page as Markdown; every figure on it comes from the measurements.

    Args:
        value: Both measurements, under ``predict`` and ``train``; a remark may be with them.
    """
    predict, train = value["predict"], value["train"]
    parts = [
        "# Speed",
        "Written by `nerloop bench speed` from [speed.json](speed.json), which holds all figures "
        "and settings; no figure on this page was typed by hand.",
        *_machine(predict, train),
        *([value["note"]["text"]] if "note" in value else []),
        "## Prediction",
        *_prediction(predict),
        "## Training",
        *_training(train),
    ]
    return "\n\n".join(parts) + "\n"


def _machine(predict: dict[str, Any], train: dict[str, Any]) -> list[str]:
    machine = predict["machine"]
    commands = [
        "```bash",
        _command("predict", [*predict["options"], "--json predict.json"]),
        _command("train", [*train["options"], "--json train.json"]),
        _command("speed", ["--predict predict.json", "--train train.json", "--page PAGE"]),
        "```",
    ]
    return [
        f"Processor: {machine['processor']}, {machine['cores']} cores, {predict['threads']} "
        f"threads; torch {machine['torch']}, Python {machine['python']}. Code: {predict['code']} "
        f"(prediction), {train['code']} (training). Base model: `{predict['base']}`.",
        "\n".join(commands),
    ]


def _command(name: str, options: Sequence[str]) -> str:
    lines = [f"nerloop bench {name}"]
    for option in options:
        if len(lines[-1]) + len(option) > _WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {option}"
    return "\n".join(lines)


def _prediction(value: dict[str, Any]) -> list[str]:
    ours, floor, latency = value["ours"], value["floor"], value["latency_ms"]
    rates = ", ".join(f"{rate / 1e9:.0f}" for rate in floor["rates"])
    return [
        f"All {value['labels']} labels are asked of every one of {value['sentences']} sentences.",
        _ways(value),
        "*Published*: one prompt per sentence and label, `generate` of transformers with 4 beams, "
        "no sampling, a bag of allowed tokens, batch size 1, bf16 autocast; the same adapter, put "
        "on the model with peft, the same prompts. *Lean*: the same with the adapter added into "
        "the weights, and with the output layer's input in one piece: otherwise the library copies "
        "that layer's weights in the first pass of every answer. Where these ran on fewer "
        "sentences, those are the first ones, and the ratio is one of seconds per sentence. Ours: "
        f"the median of {len(ours['seconds_all'])} runs after one that sets up the libraries "
        f"({ours['seconds_first']:.2f} s).",
        "Arithmetic floor = 2 x tokens x parameters / matrix rate:",
        "| tokens | of them prompts | parameters | matrix rate | floor | ours | times the floor |\n"
        "|---|---|---|---|---|---|---|\n"
        f"| {floor['tokens']} | {floor['prompt_tokens']} | {floor['block_parameters']} | "
        f"{floor['rate'] / 1e9:.0f} G/s | {floor['seconds']:.2f} s | {ours['seconds']:.2f} s | "
        f"{floor['times']:.2f} |",
        "Tokens are counted where they enter the model, so padding is not among them. Parameters: "
        "the weights of the linear layers in the blocks; the output layer is left out, for only "
        "its rows of allowed tokens are read. Matrix rate: a block's four products of "
        f"{floor['number_type']} matrices with {floor['rate_tokens']} tokens, timed before and "
        f"after ({rates} G/s).",
        f"One request with one short text, {value['labels']} labels: median "
        f"{latency['median']:.0f} ms, highest {latency['highest']:.0f} ms of "
        f"{latency['requests']}. Peak memory of ours: {ours['peak_rss_mb']:.0f} MiB.",
    ]


def _ways(value: dict[str, Any]) -> str:
    ours = value["ours"]
    rows = [
        "| way | sentences | ms per sentence | times ours | strict F1 | ours on the same |",
        "|---|---|---|---|---|---|",
        f"| ours, all texts at once | {value['sentences']} | "
        f"{1000 * ours['seconds_per_sentence']:.1f} | | {ours['f1']:.3f} | |",
    ]
    for name, title in (("published", "published"), ("lean", "published, lean")):
        if name in value:
            part = value[name]
            rows.append(
                f"| {title} | {part['sentences']} | {1000 * part['seconds_per_sentence']:.0f} | "
                f"{value[f'ratio_{name}']:.0f} | {part['f1']:.3f} | {part['f1_ours']:.3f} |"
            )
    return "\n".join(rows)


def _training(value: dict[str, Any]) -> list[str]:
    rows = [
        "| step | seconds | tokens | of the matrix rate | first loss | peak memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in (("packed", "packed"), ("rows", "one row per question")):
        part = value[name]
        rows.append(
            f"| {title}, {part['number_type']} | {part['seconds_per_step']:.2f} | "
            f"{part['tokens_per_step']:.0f} | {100 * part['share_of_rate']:.0f} % | "
            f"{part['first_loss']:.4f} | {part['peak_rss_mb']:.0f} |"
        )
    fit, packed = value["fit"], value["packed"]
    return [
        "\n".join(rows),
        f"Packed steps are {value['ratio']:.1f} times faster. Both read the same "
        f"{packed['texts_per_step']} texts in each of {packed['steps']} steps, with the same "
        f"optimiser and without dropout; their first losses are "
        f"{100 * value['first_losses_apart']:.2f} % apart. Seconds are means without the first "
        "step, which sets up the libraries. Share of the matrix rate: 4 x tokens x parameters "
        "operations (one product forward, one back to the inputs; frozen weights get no gradient) "
        "per second over the rate of that number type; LoRA, output layer and attention are not "
        "counted as work.",
        f"Whole fit with the default settings, {fit['texts']} texts, {fit['labels']} labels: "
        f"**{fit['seconds']:.1f} s**, {fit['steps']} steps, peak memory "
        f"{fit['peak_rss_mb']:.0f} MiB. Each of the three ran in a process of its own; loading the "
        "base model counts for the memory, not for the time.",
    ]
