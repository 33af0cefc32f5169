"""`nerloop bench`: measure a method on labelled files."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.registry_access import DEFAULT_HOME, HomeOption

if TYPE_CHECKING:
    from model.evaluation.metrics import Counts, Scores
    from model.method import AdapterFiles

app = typer.Typer(no_args_is_help=True, help="Measure a method on labelled files.")


@app.callback()
def bench() -> None:
    """Measure a method on labelled files."""


@app.command("score")
def score(
    test: Annotated[Path, typer.Option("--test", help="CoNLL file to score on.")],
    labels: Annotated[Path, typer.Option("--labels", help="labels.json of the data set.")],
    support: Annotated[
        list[Path] | None,
        typer.Option("--support", help="CoNLL file to train on first; may be given again."),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", help="Adapter to start from; default: the shipped.")
    ] = None,
    base: Annotated[str, typer.Option("--base", help="Name or folder.")] = "smollm2-135m-q4",
    home: HomeOption = DEFAULT_HOME,
    limit: Annotated[int, typer.Option("--limit", help="Texts drawn; 0 means all.")] = 0,
    present_only: Annotated[
        bool,
        typer.Option(
            "--present-only", help="Ask only labels of the test file: splits with own types."
        ),
    ] = False,
    shots: Annotated[
        int, typer.Option("--shots", help="Mentions per label to draw from --support; 0: all.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Seed of support and training.")] = 1,
    sample_seed: Annotated[
        int, typer.Option("--sample-seed", help="Seed of the sample of --limit texts.")
    ] = 1,
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads.")] = None,
    settings: Annotated[
        str, typer.Option("--config", help="Settings of CLLMFS to change, as a JSON object.")
    ] = "{}",
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Score zero-shot, or after training on --support; strict spans, all labels asked."""
    from model.base.load import load_base
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.method import Cllmfs
    from model.data.conll import read_conll, read_label_set, without_repeats
    from model.data.episodes import greedy_support
    from model.evaluation.metrics import score as span_scores
    from model.spans import LabelSet

    config = CllmfsConfig.from_json(
        {**CllmfsConfig(threads=threads).to_json(), **json.loads(settings)}
    )
    method = Cllmfs(load_base(home, base), config)
    tested = without_repeats(read_conll(test))
    label_set = read_label_set(labels)
    if present_only:
        present = {span.label for item in tested for span in item.spans}
        label_set = LabelSet(tuple(label for label in label_set if label.name in present))
    given = [item for path in support or [] for item in without_repeats(read_conll(path))]
    # Drawn supports leave the scored texts alone; support files given whole come first.
    kept = set() if shots else {item.text for item in given}
    pool = [item for item in tested if item.text not in kept]
    draw = random.Random(sample_seed)
    texts = draw.sample(pool, min(limit, len(pool))) if limit else pool
    scored = {item.text for item in texts}
    items = given
    if shots:
        others = [item for item in given if item.text not in scored]
        items = greedy_support(others, label_set.names, shots, seed)
    files: AdapterFiles = _start_files(method.base_digest, adapter)
    began = time.monotonic()
    if items:
        files = method.fit(items, label_set, start=files, seed=seed).files
    trained = time.monotonic()
    method.load("scored", files)
    found = method.predict([item.text for item in texts], label_set, adapter="scored")
    done = time.monotonic()
    scores = span_scores(
        [item.text for item in texts],
        [item.spans for item in texts],
        [prediction.spans for prediction in found],
    )
    figures = {
        **_figures(scores),
        "texts": len(texts),
        "support_texts": len(items),
        "seconds_train": round(trained - began, 1),
        "seconds_predict": round(done - trained, 1),
        "base": base,
        "seed": seed,
        "sample_seed": sample_seed,
        "config": config.to_json(),
    }
    _show(figures)
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _start_files(base_digest: str, folder: Path | None) -> dict[str, bytes]:
    from model.cllmfs.lora import CONFIG_FILE, ORIGIN_FILE, WEIGHTS_FILE
    from model.cllmfs.shipped import shipped_adapter
    from model.errors import AdapterError

    place = folder or shipped_adapter(base_digest)
    if place is None:
        raise AdapterError("No adapter ships for this base model; name one with --adapter.")
    names = (WEIGHTS_FILE, CONFIG_FILE, ORIGIN_FILE)
    missing = [name for name in names if not (place / name).is_file()]
    if missing:
        raise AdapterError(f"The adapter in {place} lacks {', '.join(missing)}.")
    return {name: (place / name).read_bytes() for name in names}


def _figures(scores: Scores) -> dict[str, Any]:
    return {
        **_row(scores.micro),
        "io_f1": round(scores.io.f1, 4),
        "per_label": {label: _row(counts) for label, counts in scores.per_label.items()},
    }


def _row(counts: Counts) -> dict[str, float]:
    return {
        "precision": round(counts.precision, 4),
        "recall": round(counts.recall, 4),
        "f1": round(counts.f1, 4),
        "gold": counts.gold,
    }


def _show(figures: dict[str, Any]) -> None:
    typer.echo(
        f"P {figures['precision']:.4f}  R {figures['recall']:.4f}  F1 {figures['f1']:.4f}  "
        f"IO-F1 {figures['io_f1']:.4f}  texts {figures['texts']}  "
        f"train {figures['seconds_train']} s  predict {figures['seconds_predict']} s"
    )
    for label, row in figures["per_label"].items():
        typer.echo(
            f"  {label:<20} P {row['precision']:.3f} R {row['recall']:.3f} F1 {row['f1']:.3f} "
            f"gold {row['gold']}"
        )
