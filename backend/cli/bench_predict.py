"""`nerloop bench predict`: seconds per sentence, beside the published way and the arithmetic."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.bench_options import (
    LEAN_LIMIT,
    THREADS,
    BaseOption,
    ConfigOption,
    JsonOption,
    PredictRequest,
    SourceAdapterOption,
    ThreadsOption,
)
from backend.cli.printing import print_table
from backend.cli.registry_access import DEFAULT_HOME, HomeOption
from model.base.catalogue import DEFAULT_BASE
from model.errors import NerLoopError

if TYPE_CHECKING:
    from model.base.load import LoadedBase
    from model.cllmfs.method import Cllmfs
    from model.method import AdapterFiles
    from model.spans import AnnotatedText, LabelSet, Span

_REPEATS = 3
_REQUESTS = 20
_ADAPTER = "bench"
_REQUEST = "Ida Berg flew from Oslo to Lisbon on Monday."


class SpeedError(NerLoopError):
    """The speed cannot be measured with these options."""


def predict(
    test: Annotated[Path, typer.Option("--test", help="CoNLL file with the sentences.")],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="labels.json; default: the one beside the test file."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Sentences.", min=1)] = 100,
    first: Annotated[
        bool, typer.Option("--first/--drawn", help="The first ones, or drawn as by bench score.")
    ] = True,
    baseline_limit: Annotated[
        int | None,
        typer.Option("--baseline-limit", help="Sentences of the published way; all.", min=0),
    ] = None,
    lean_limit: Annotated[
        int, typer.Option("--lean-limit", help="Sentences of its lean form.", min=0)
    ] = LEAN_LIMIT,
    threads: ThreadsOption = THREADS,
    base: BaseOption = DEFAULT_BASE,
    source_adapter: SourceAdapterOption = "shipped",
    config: ConfigOption = "{}",
    home: HomeOption = DEFAULT_HOME,
    out: JsonOption = None,
) -> None:
    """Time predictions of all labels: ours, the published way, and what the arithmetic allows.

    Everything runs on the CPU, even where there is a GPU.
    """
    request = PredictRequest(
        test,
        labels,
        limit,
        first,
        baseline_limit,
        lean_limit,
        threads,
        base,
        source_adapter,
        config,
        home,
    )
    value = measured(request)
    if out is not None:
        out.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    _show(value)


def measured(request: PredictRequest) -> dict[str, Any]:
    """Measure everything and return it as a JSON value.

    Raises:
        BenchOptionsError: If the settings are no JSON object.
        SpeedError: If the method has no published way.
        NerLoopError: If a file, the base model or the adapter cannot be used.
    """
    import torch

    from backend.cli.bench_request import config_object
    from model.base.load import load_base
    from model.cllmfs.method import Cllmfs
    from model.evaluation.machine import code_version, machine, peak_rss_mb
    from model.methods import open_method, start_adapter

    settings = config_object(request.config)
    torch.set_num_threads(request.threads)
    items, labels = _texts(request)
    base = load_base(request.home, request.base, device="cpu")
    method = open_method("cllmfs", base, settings)
    if not isinstance(method, Cllmfs):
        raise SpeedError(f"The method {method.name} has no published way to compare with.")
    files = start_adapter(method, request.source_adapter)
    method.load(_ADAPTER, files)
    ours, floor, spans = _ours(method, base, items, labels)
    latency = _latency(method, labels)
    ours["peak_rss_mb"] = peak_rss_mb()
    published = _baselines(request, method, files, items, labels, spans)
    each = ours["seconds_per_sentence"]
    return {
        "sentences": len(items),
        "labels": len(labels.labels),
        "ours": ours,
        **published,
        **{
            f"ratio_{name}": part["seconds_per_sentence"] / each for name, part in published.items()
        },
        "floor": floor,
        "latency_ms": latency,
        "peak_rss_mb": peak_rss_mb(),
        "test": request.test.name,
        "options": request.told,
        "base": Path(request.base).name,
        "threads": request.threads,
        "config": method.config_json(),
        "machine": machine(),
        "code": code_version(),
    }


def _texts(request: PredictRequest) -> tuple[list[AnnotatedText], LabelSet]:
    from model.data.bench_files import read_test
    from model.evaluation.measurement import chosen

    scored = read_test(request.test, request.labels)
    if request.first:
        return list(scored.items[: request.limit]), scored.labels
    places = chosen(len(scored.items), request.limit, 1)
    return [scored.items[place] for place in places], scored.labels


def _ours(
    method: Cllmfs, base: LoadedBase, items: Sequence[AnnotatedText], labels: LabelSet
) -> tuple[dict[str, Any], dict[str, Any], list[list[Span]]]:
    """All texts at once, some times over, with the rate of the products before and after.

    The first time adds the adapter into the weights and sets the libraries' products up.
    """
    from model.cllmfs import speed
    from model.cllmfs.config import CllmfsConfig

    texts = [item.text for item in items]
    times = []
    before = speed.matrix_rate(base, base.dtype)
    with speed.counted_tokens(base) as count:
        for _ in range(_REPEATS + 1):
            began = time.perf_counter()
            found = method.predict(texts, labels, adapter=_ADAPTER)
            times.append(time.perf_counter() - began)
    rates = [before, speed.matrix_rate(base, base.dtype)]
    seconds = statistics.median(times[1:])
    spans = [list(own.spans) for own in found]
    tokens, rate = count.tokens // len(times), statistics.mean(rates)
    parameters = speed.block_parameters(base)
    floor = 2.0 * tokens * parameters / rate
    figures = {
        "seconds": seconds,
        "seconds_per_sentence": seconds / len(items),
        "seconds_first": times[0],
        "seconds_all": times[1:],
        "f1": _f1(items, spans),
    }
    arithmetic = {
        "tokens": tokens,
        "prompt_tokens": speed.prompt_tokens(
            CllmfsConfig.from_json(method.config_json()), method.encoder, texts, labels
        ),
        "block_parameters": parameters,
        "rate": rate,
        "rates": rates,
        "rate_tokens": speed.RATE_TOKENS,
        "number_type": str(base.dtype).removeprefix("torch."),
        "seconds": floor,
        "times": seconds / floor,
    }
    return figures, arithmetic, spans


def _latency(method: Cllmfs, labels: LabelSet) -> dict[str, Any]:
    times = []
    for _ in range(_REQUESTS + 3):
        began = time.perf_counter()
        method.predict([_REQUEST], labels, adapter=_ADAPTER)
        times.append(1000 * (time.perf_counter() - began))
    kept = times[3:]
    return {
        "median": statistics.median(kept),
        "highest": max(kept),
        "first": times[0],
        "requests": _REQUESTS,
    }


def _baselines(
    request: PredictRequest,
    method: Cllmfs,
    files: AdapterFiles,
    items: Sequence[AnnotatedText],
    labels: LabelSet,
    ours: Sequence[Sequence[Span]],
) -> dict[str, dict[str, Any]]:
    from model.base.load import load_base
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.published import PublishedWay, with_adapter

    config = CllmfsConfig.from_json(method.config_json())
    wanted = len(items) if request.baseline_limit is None else request.baseline_limit
    found = {}
    for name, limit in (("published", wanted), ("lean", min(wanted, request.lean_limit))):
        chosen = items[:limit]
        if not chosen:
            continue
        base = load_base(request.home, request.base, device="cpu")
        network = with_adapter(base, files, lean=name == "lean")
        way = PublishedWay(network, method.encoder, config)
        way.predict(_REQUEST, labels)
        began = time.perf_counter()
        spans = [way.predict(item.text, labels) for item in chosen]
        seconds = time.perf_counter() - began
        found[name] = {
            "sentences": len(chosen),
            "seconds": seconds,
            "seconds_per_sentence": seconds / len(chosen),
            "f1": _f1(chosen, spans),
            "f1_ours": _f1(chosen, ours[: len(chosen)]),
            "beams": way.beams,
        }
    return found


def _f1(items: Sequence[AnnotatedText], spans: Sequence[Sequence[Span]]) -> float:
    from model.evaluation.metrics import score

    return score([item.text for item in items], [item.spans for item in items], spans).micro.f1


def _show(value: dict[str, Any]) -> None:
    ours, floor, latency = value["ours"], value["floor"], value["latency_ms"]
    rows: list[tuple[object, ...]] = [
        ("ours", value["sentences"], f"{1000 * ours['seconds_per_sentence']:.1f}", "", ours["f1"])
    ]
    for name in ("published", "lean"):
        if name in value:
            part = value[name]
            each, ratio = 1000 * part["seconds_per_sentence"], value[f"ratio_{name}"]
            told = f"{part['f1']:.3f} (ours: {part['f1_ours']:.3f})"
            rows.append((name, part["sentences"], f"{each:.1f}", f"{ratio:.1f}", told))
    print_table(("way", "sentences", "ms per sentence", "times ours", "strict F1"), rows)
    typer.echo(
        f"floor: 2 x {floor['tokens']} tokens ({floor['prompt_tokens']} of prompts) x "
        f"{floor['block_parameters']} parameters / {floor['rate'] / 1e9:.0f} G/s "
        f"({floor['number_type']}, {floor['rate_tokens']} tokens) = {floor['seconds']:.2f} s; "
        f"ours: {ours['seconds']:.2f} s = {floor['times']:.2f} times the floor"
    )
    typer.echo(
        f"one short text: median {latency['median']:.0f} ms, highest {latency['highest']:.0f} ms; "
        f"peak memory {ours['peak_rss_mb']:.0f} MB"
    )
