"""From the options of `nerloop bench episodes` to a method, sampled episodes and their report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.cli.bench_request import BenchOptionsError, config_object, last_part, shown_path
from backend.studies.episodes import parts_of, sampled
from model.data.bench_files import ScoredFile, read_test
from model.data.episode_files import SPLITS, SPLITS_FILE, StoredEpisodes, read_episodes
from model.data.episode_sampling import Episode, EpisodeShape
from model.evaluation.machine import machine, threads_used
from model.evaluation.measurement import Measurement, SupportSet
from model.evaluation.report import Header, ReportFile
from model.method import AdapterFiles, NerMethod


@dataclass(frozen=True, slots=True)
class EpisodesRequest:
    """The options, one attribute each; the command's help says what they mean."""

    test: Path
    labels: Path | None
    split: str
    splits: Path | None
    shape: EpisodeShape
    number: int
    indices: Path | None
    method: str
    base: str
    source_adapter: str
    config: str
    threads: int | None
    home: Path
    out: Path | None
    fresh: bool

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise BenchOptionsError(
                f"There is no split {self.split!r}. There are: {', '.join(SPLITS)}."
            )

    def require_indices(self) -> None:
        """Make sure that there is a place for sampled episodes.

        Raises:
            BenchOptionsError: If ``--indices`` is missing.
        """
        if self.indices is None:
            raise BenchOptionsError("--sample-only wants a file to write: --indices FILE.")

    def settings(self) -> dict[str, Any]:
        """The settings of the method that differ from its defaults.

        Raises:
            BenchOptionsError: If ``--config`` holds no JSON object.
        """
        value = config_object(self.config)
        return value if self.threads is None else {**value, "threads": self.threads}


@dataclass(frozen=True, slots=True)
class PreparedEpisodes:
    """What is ready to be measured.

    Attributes:
        method: The method on its base model.
        start: Files of the adapter each episode starts from.
        scored: All sentences of the file, and its labels.
        episodes: The episodes in order.
        name: What the support sets are called, before their number.
        report: Where the runs are kept.
    """

    method: NerMethod
    start: AdapterFiles
    scored: ScoredFile
    episodes: tuple[Episode, ...]
    name: str
    report: ReportFile

    def measurement(self, number: int) -> tuple[Measurement, SupportSet]:
        """What is measured in one episode, and what it learns from."""
        part = parts_of(self.scored, self.episodes, self.name)[number]
        (support,) = part.supports
        return Measurement(self.method, self.start, part.labels, part.items), support


def stored_episodes(request: EpisodesRequest, scored: ScoredFile | None = None) -> StoredEpisodes:
    """The episodes of a request: read where they were stored before, else sampled and stored.

    Args:
        request: The options.
        scored: The file's sentences and labels; None reads them.

    Raises:
        ConllError: If a file cannot be read or has another format.
        EpisodeError: If no such episodes can be sampled.
        EpisodeFileError: If the stored ones are not those asked for.
    """
    from model.base.digest import file_digest

    scored = scored or read_test(request.test, request.labels)
    if request.indices is not None and request.indices.exists():
        stored = read_episodes(request.indices)
        stored.require(file_digest(request.test), request.split, request.shape, request.number)
        return stored
    stored = sampled(
        request.test,
        shown_path(request.test),
        scored,
        request.split,
        request.splits or request.test.parent / SPLITS_FILE,
        request.shape,
        request.number,
    )
    if request.indices is not None:
        stored.write(request.indices)
    return stored


def prepare(request: EpisodesRequest) -> PreparedEpisodes:
    """Sample the episodes, load the base model and open the report.

    Raises:
        NerLoopError: If options do not go together, or a file, the base model, the adapter or an
            earlier report cannot be used; see the classes of the modules called.
    """
    from model.methods import load_base_for, open_method, start_adapter

    settings = request.settings()
    scored = read_test(request.test, request.labels)
    stored = stored_episodes(request, scored)
    base = load_base_for(request.method, request.home, request.base)
    method = open_method(request.method, base, settings)
    start = start_adapter(method, request.source_adapter)
    episodes = stored.episodes[: request.number]
    shape = request.shape
    return PreparedEpisodes(
        method=method,
        start=start,
        scored=scored,
        episodes=episodes,
        name=f"{request.split}/{shape.ways}way-{shape.shots}shot",
        report=_report(request, method, start, scored, episodes),
    )


def _report(
    request: EpisodesRequest,
    method: NerMethod,
    start: AdapterFiles,
    scored: ScoredFile,
    episodes: Sequence[Episode],
) -> ReportFile:
    from model.base.digest import file_digest

    # the header's digest of sentences covers all queries in order: equal ones are equal episodes
    query = tuple(scored.items[place] for own in episodes for place in own.query)
    header = Header.of(
        Measurement(method, start, scored.labels, query),
        base=last_part(request.base),
        source_adapter=last_part(request.source_adapter),
        test=shown_path(request.test),
        protocol={"split": request.split, "episodes": len(episodes), **asdict(request.shape)},
        test_digest=file_digest(request.test),
        environment={**machine(), "threads": threads_used()},
    )
    return ReportFile(request.out, header, fresh=request.fresh)
