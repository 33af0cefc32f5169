"""From the options of `nerloop bench score` to a measurement, its support sets and its report."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.data import bench_files
from model.data.bench_files import ScoredFile
from model.data.nested import read_annotated
from model.errors import NerLoopError
from model.evaluation.machine import machine, threads_used
from model.evaluation.measurement import Measurement, SupportSet, chosen
from model.evaluation.report import Header, ReportError, ReportFile

QUICK_SENTENCES = 300
QUICK_SUPPORTS = 3


class BenchOptionsError(NerLoopError):
    """These options of `nerloop bench score` do not go together."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """The options, one attribute each; the command's help says what they mean."""

    test: Path
    labels: Path | None
    support: tuple[Path, ...]
    draw: Path | None
    shots: int
    draws: int
    also_in: tuple[Path, ...]
    spaced: bool
    limit: int
    seed: int
    quick: bool
    present_only: bool
    oracle_types: bool
    method: str
    base: str
    source_adapter: str
    config: str
    threads: int | None
    home: Path
    out: Path | None
    fresh: bool

    def __post_init__(self) -> None:
        if self.quick and (self.limit or self.seed != 1):
            raise BenchOptionsError("--quick fixes --limit and --seed; leave those two out.")
        if (self.draw is None) != (self.shots == 0):
            raise BenchOptionsError("--draw FILE and --shots K belong together.")
        if self.draw is not None and self.support:
            raise BenchOptionsError("Support sets are either given (--support) or drawn (--draw).")

    @property
    def sentences(self) -> int:
        """Sentences to score; 0 for all."""
        return QUICK_SENTENCES if self.quick else self.limit

    def settings(self) -> dict[str, Any]:
        """The settings of the method that differ from its defaults.

        Raises:
            BenchOptionsError: If ``--config`` holds no JSON object.
        """
        value = config_object(self.config)
        return value if self.threads is None else {**value, "threads": self.threads}


def config_object(text: str) -> dict[str, Any]:
    """What ``--config`` holds.

    Raises:
        BenchOptionsError: If it is no JSON object.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BenchOptionsError(f"--config is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BenchOptionsError('--config wants a JSON object, for example {"epochs": 3}.')
    return value


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is ready to be measured.

    Attributes:
        measurement: Method, start adapter, labels and test.
        supports: The support sets; empty for zero-shot.
        report: Where the runs are kept.
    """

    measurement: Measurement
    supports: tuple[SupportSet, ...]
    report: ReportFile


def prepare(request: ScoreRequest) -> Prepared:
    """Read the files, load the base model and open the report.

    Raises:
        NerLoopError: If options do not go together, or a file, the base model, the adapter or an
            earlier report cannot be used; see the classes of the modules called.
    """
    from model.methods import load_base_for, open_method, start_adapter

    settings = request.settings()
    scored = bench_files.read_test(
        request.test, request.labels, present_only=request.present_only, spaced=request.spaced
    )
    places = chosen(len(scored.items), request.sentences, request.seed)
    items = tuple(scored.items[place] for place in places)
    supports = _supports(request, scored, {item.text for item in items})
    base = load_base_for(request.method, request.home, request.base)
    method = open_method(request.method, base, settings)
    measurement = Measurement(
        method=method,
        start=start_adapter(method, request.source_adapter),
        labels=scored.labels,
        test=items,
        oracle_types=request.oracle_types,
    )
    return Prepared(measurement, supports, _report(request, measurement, supports))


def shown_path(path: Path) -> str:
    """A path as reports name it: relative to ``NERLOOP_DATA`` where it lies there."""
    data = os.environ.get("NERLOOP_DATA")
    if data and path.resolve().is_relative_to(Path(data).resolve()):
        return path.resolve().relative_to(Path(data).resolve()).as_posix()
    return path.as_posix()


def _supports(request: ScoreRequest, scored: ScoredFile, held: set[str]) -> tuple[SupportSet, ...]:
    most = QUICK_SUPPORTS if request.quick else None
    if request.draw is not None:
        folder = f"{shown_path(request.draw)}/{request.shots}shot"
        return tuple(
            SupportSet(
                f"{folder}/{number}",
                tuple(
                    bench_files.drawn_support(
                        request.draw,
                        scored.labels,
                        held,
                        shots=request.shots,
                        draw=number,
                        spaced=request.spaced,
                    )
                ),
            )
            for number in range(request.draws)[:most]
        )
    return tuple(
        SupportSet(shown_path(path), tuple(read_annotated(path, spaced=request.spaced)))
        for path in bench_files.support_files(request.support)[:most]
    )


def _report(
    request: ScoreRequest, measurement: Measurement, supports: Sequence[SupportSet]
) -> ReportFile:
    from model.base.digest import file_digest

    seen = None
    if request.also_in:
        seen = bench_files.also_in(measurement.test, request.also_in, spaced=request.spaced)
    header = Header.of(
        measurement,
        base=last_part(request.base),
        source_adapter=last_part(request.source_adapter),
        test=shown_path(request.test),
        protocol={"limit": request.sentences, "seed": request.seed},
        test_digest=file_digest(request.test),
        environment={**machine(), "threads": threads_used()},
    )
    report = ReportFile(request.out, header, seen=seen, fresh=request.fresh)
    _require_kind(request, report, supports)
    return report


def last_part(name: str) -> str:
    """What reports call a base model or an adapter: of a folder the last part, for digests tell."""
    return Path(name).name


def _require_kind(
    request: ScoreRequest, report: ReportFile, supports: Sequence[SupportSet]
) -> None:
    """Means over 1-shot and 5-shot runs would mean nothing: one kind of support set per file."""
    wanted = {_kind(support.name) for support in supports} or {_kind(None)}
    there = {_kind(run.support) for run in report.report.runs}
    if len(wanted) > 1:
        raise ReportError(
            f"The support sets are of {len(wanted)} kinds: {', '.join(sorted(wanted))}. A mean over"
            " them would mean nothing; measure each kind in a file of its own."
        )
    if len(wanted | there) > 1:
        raise ReportError(
            f"{request.out} holds runs of {', '.join(sorted(there))}, but now "
            f"{', '.join(sorted(wanted))} is asked. Name another file, or start over with --fresh."
        )


def _kind(support: str | None) -> str:
    return "zero-shot" if support is None else support.rpartition("/")[0] or "."
