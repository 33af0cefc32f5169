"""The JSON file of a measurement: written after every run, taken up again by the same command."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model.errors import NerLoopError
from model.evaluation.episodes import are_episodes, episode_figures
from model.evaluation.measurement import Measurement
from model.evaluation.runs import DIGITS, Run

AVERAGED = (
    *("precision", "recall", "f1", "io_f1", "type_blind_f1", "f1_unseen", "false_nonempty"),
    *("seconds_train", "seconds_predict", "peak_rss_mb"),
)
_COMPARED = ("method", "config", "protocol", "sentences", "digests")


class ReportError(NerLoopError):
    """The file holds no measurement, or one that was made with other settings."""


@dataclass(frozen=True, slots=True)
class Header:
    """What all runs of a file share.

    Attributes:
        method: Name of the method.
        base: Name of the base model.
        source_adapter: Name of the start adapter.
        test: Name of the test file.
        labels: Names of the labels asked.
        protocol: Which sentences are scored and how they are asked.
        config: Settings of the method.
        sentences: Digest of the scored sentences with their gold spans.
        digests: Digests of test file, labels, base model and start adapter.
        environment: Processor, cores, versions.
    """

    method: str
    base: str
    source_adapter: str
    test: str
    labels: tuple[str, ...]
    protocol: dict[str, Any]
    config: dict[str, Any]
    sentences: str
    digests: dict[str, Any]
    environment: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        measurement: Measurement,
        *,
        base: str,
        source_adapter: str,
        test: str,
        protocol: dict[str, Any] | None = None,
        test_digest: str | None = None,
        environment: dict[str, Any] | None = None,
    ) -> Header:
        """The header of a measurement.

        Args:
            measurement: What is measured.
            base: Name of the base model.
            source_adapter: Name of the start adapter.
            test: Name of the test file.
            protocol: How the sentences were picked, for example limit and seed.
            test_digest: Digest of the test file.
            environment: Where it is measured.
        """
        digests = measurement.digests()
        sentences = digests.pop("sentences")
        return cls(
            method=measurement.method.name,
            base=base,
            source_adapter=source_adapter,
            test=test,
            labels=measurement.labels.names,
            protocol={**(protocol or {}), "oracle_types": measurement.oracle_types},
            config=measurement.method.config_json(),
            sentences=sentences,
            digests={"test": test_digest, **digests},
            environment=environment or {},
        )

    def differences(self, other: Header) -> list[str]:
        """What another header has otherwise, as ``name: here, there``; names alone do not count.

        Of the environment the number of threads counts, where both know it: sums that are split
        otherwise differ in their last digits.
        """
        told = []
        own_threads, its_threads = (at.environment.get("threads") for at in (self, other))
        if None not in (own_threads, its_threads) and own_threads != its_threads:
            told.append(f"environment.threads: {own_threads}, {its_threads}")
        for name in _COMPARED:
            own, its = _plain(getattr(self, name)), _plain(getattr(other, name))
            if isinstance(own, dict) and isinstance(its, dict):
                told += [
                    f"{name}.{key}: {_short(own.get(key))}, {_short(its.get(key))}"
                    for key in sorted({*own, *its})
                    if own.get(key) != its.get(key)
                ]
            elif own != its:
                told.append(f"{name}: {_short(own)}, {_short(its)}")
        return told


@dataclass(frozen=True, slots=True)
class Report:
    """A file's content.

    Attributes:
        header: What the runs share.
        runs: The runs, in the order they were made.
        seen: Places of the sentences that also occur in other files of the corpus.
    """

    header: Header
    runs: tuple[Run, ...] = ()
    seen: frozenset[int] | None = None

    def to_json(self) -> dict[str, Any]:
        """The JSON value of the file; the reference page of ``nerloop bench`` describes it."""
        rows = [run.to_json() for run in self.runs]
        if self.seen is not None:
            for row, run in zip(rows, self.runs, strict=True):
                row["f1_unseen"] = run.f1_without(self.seen)
        header = asdict(self.header)
        supports = {run.support: run.support_digest for run in self.runs if run.support}
        codes = list(dict.fromkeys(run.code for run in self.runs if run.code))
        digests = {**header.pop("digests"), "supports": supports, "code": ", ".join(codes)}
        micro = {"micro": episode_figures(self.runs)} if are_episodes(header["protocol"]) else {}
        return {
            **header,
            "digests": digests,
            **micro,
            "mean": _over_runs(rows, statistics.fmean),
            "std": _over_runs(rows, lambda values: statistics.stdev(values) if values[1:] else 0.0),
            "seen": None if self.seen is None else sorted(self.seen),
            "runs": rows,
        }


class ReportFile:
    """The file of a measurement that goes on.

    Args:
        path: The file; None keeps everything in memory.
        header: What the runs share.
        seen: Places of the sentences that also occur in other files of the corpus; None for those
            that the file names.
        fresh: Start over, whatever the file holds.

    Raises:
        ReportError: If the file holds something else, or runs made with other settings.
    """

    def __init__(
        self,
        path: Path | None,
        header: Header,
        *,
        seen: Collection[int] | None = None,
        fresh: bool = False,
    ) -> None:
        self._path = path
        kept: tuple[Run, ...] = ()
        if path is not None and path.exists() and not fresh:
            earlier = read_report(path)
            different = header.differences(earlier.header)
            if different:
                raise ReportError(
                    f"{path} was made with other settings (wanted, there): "
                    f"{'; '.join(different)}. Name another file, or start over with --fresh."
                )
            kept = earlier.runs
            seen = earlier.seen if seen is None else seen
        self._report = Report(header, kept, None if seen is None else frozenset(seen))

    @property
    def report(self) -> Report:
        """What the file holds now."""
        return self._report

    @property
    def finished(self) -> frozenset[str]:
        """Digests of the runs that need not be made again."""
        return frozenset(run.settings_digest for run in self._report.runs)

    def add(self, run: Run) -> None:
        """Take in a run and write the file.

        Raises:
            OSError: If the file cannot be written.
        """
        report = self._report
        self._report = Report(report.header, (*report.runs, run), report.seen)
        self.write()

    def write(self) -> None:
        """Write the file as it is now; it is replaced as a whole, so it is never half written.

        Raises:
            OSError: If the file cannot be written.
        """
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        aside.write_text(_dumped(self._report.to_json()), encoding="utf-8")
        os.replace(aside, self._path)


def read_report(path: Path) -> Report:
    """Read the JSON file of a measurement.

    Raises:
        ReportError: If it cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        digests = dict(value["digests"])
        del digests["supports"], digests["code"]
        known = {name: value[name] for name in Header.__dataclass_fields__}
        header = Header(**{**known, "digests": digests, "labels": tuple(value["labels"])})
        seen = value["seen"]
        runs = tuple(Run.from_json(row) for row in value["runs"])
        return Report(header, runs, None if seen is None else frozenset(seen))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ReportError(
            f"{path} holds no measurement of `nerloop bench score`: {error}"
        ) from error


def _over_runs(rows: Sequence[dict[str, Any]], summary: Any) -> dict[str, float]:
    names = [name for name in AVERAGED if rows and name in rows[0]]
    return {name: round(summary([float(row[name]) for row in rows]), DIGITS) for name in names}


def _dumped(value: dict[str, Any]) -> str:
    # one line per run's counts instead of five per sentence
    rows = [row.pop("per_text") for row in value["runs"]]
    for number, row in enumerate(value["runs"]):
        row["per_text"] = f"per_text of run {number}"
    text = json.dumps(value, indent=2)
    for number, counts in enumerate(rows):
        compact = json.dumps(counts, separators=(",", ":"))
        text = text.replace(f'"per_text of run {number}"', compact)
    return text + "\n"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}..."
