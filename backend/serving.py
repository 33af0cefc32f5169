"""Predictions of the served adapters: one engine a method, loaded once, adapters by digest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, Thread
from typing import Protocol

from backend.metrics import Metrics
from backend.settings import Settings
from model.errors import AdapterError, BaseModelError, NerLoopError
from model.lanes import DEFAULT_METHOD, lane_kind
from model.method import AdapterFiles
from model.registry.aliases import Served
from model.registry.errors import ArtifactError
from model.spans import LabelSet, Prediction

log = logging.getLogger(__name__)

CHUNK = 16
"""Texts predicted before another request may have its turn."""

RETRY_SECONDS = 60.0
"""How long a refused adapter is not tried again."""

NOTHING = Prediction((), 0.0)


class SpanEngine(Protocol):
    """What serving needs of an engine."""

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors."""

    def ensure(self, digest: str, read: Callable[[], AdapterFiles]) -> None:
        """Make an adapter ready, reading its files if they are not loaded yet."""

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order."""


OpenEngine = Callable[[str], SpanEngine]
"""Puts a method on its base model."""

ReadVersion = Callable[[Served], AdapterFiles]
"""Gives the files of a version."""


def engine_opener(settings: Settings) -> OpenEngine:
    """Opens the configured base model of a method; torch is imported only then."""

    def open_engine(method: str) -> SpanEngine:
        from model.engine import Engine

        base = settings.base_of(method)
        return Engine.open(settings.home, base, method=method, threads=settings.threads)

    return open_engine


class _Seat:
    """The engine of one method, and who may use it now."""

    def __init__(self) -> None:
        self.opening, self.turn = Lock(), Lock()
        self.engine: SpanEngine | None = None


class Serving:
    """Answers for every project with the version it serves, whatever its method.

    Each method has an engine of its own, so that a fast one never waits for a slow one.

    Args:
        open_engine: Loads a method's base model; called once for each, on the first need.
        read: Gives the verified files of a version, unless it is condemned.
        metrics: Counts refused adapters and failed texts.
        method: Method of new projects, loaded ahead where none is served yet.
    """

    def __init__(
        self,
        open_engine: OpenEngine,
        read: ReadVersion,
        metrics: Metrics,
        *,
        method: str = DEFAULT_METHOD,
    ) -> None:
        self._open_engine, self._read, self._metrics = open_engine, read, metrics
        self._method = method
        self._seats: dict[str, _Seat] = {}
        self._good: dict[int, Served] = {}
        self._refused: dict[str, float] = {}

    @property
    def is_ready(self) -> bool:
        """Whether a base model is in memory."""
        return any(seat.engine is not None for seat in list(self._seats.values()))

    def warm_up(self, served: Callable[[], Iterable[tuple[int, Served]]]) -> Thread:
        """Load the adapters in use and their base models, in the background.

        Where no project is served yet, the base model of new projects is loaded.

        Args:
            served: Asks for (project, served version), in the new thread.
        """
        thread = Thread(target=self._warm, args=(served,), name="warm-up", daemon=True)
        thread.start()
        return thread

    def current(self, project_id: int, wanted: Served) -> Served:
        """The version whose answers this project gets at this moment.

        It is the wanted one, except while its adapter is refused and an earlier one is still here:
        ``/setup`` and ``/predict`` must name the same version.
        """
        refused_at = self._refused.get(wanted.artifact_digest)
        if refused_at is None or time.monotonic() - refused_at > RETRY_SECONDS:
            return wanted
        return self._good.get(project_id, wanted)

    def predict(
        self, project_id: int, wanted: Served, texts: Sequence[str], labels: LabelSet
    ) -> tuple[Served, list[Prediction]]:
        """Predictions for texts, in order, all of one version.

        Returns:
            The version that answered, which is an earlier one if the wanted one's files are
            damaged, and one prediction per text; a text that fails yields no spans and score 0.

        Raises:
            ArtifactError: If the adapter is damaged and no earlier one is loaded.
            BaseModelError: If the base model cannot be loaded.
            AdapterError: If the adapter belongs to another base model.
        """
        chosen = self._loaded(project_id, self.current(project_id, wanted))
        seat, engine = self._opened(chosen.method)
        found: list[Prediction] = []
        for first in range(0, len(texts), CHUNK):
            part = texts[first : first + CHUNK]
            with seat.turn:
                # another project's requests may have pushed the adapter out meanwhile
                self._ensure(engine, chosen)
                found += self._robust(engine, part, labels, chosen.artifact_digest)
        return chosen, found

    def _opened(self, method: str) -> tuple[_Seat, SpanEngine]:
        seat = self._seats.setdefault(method, _Seat())
        with seat.opening:
            if seat.engine is None:
                begun = time.monotonic()
                seat.engine = self._open_engine(method)
                seconds = time.monotonic() - begun
                log.info("The base model of %s is loaded (%.1f s).", method, seconds)
            return seat, seat.engine

    def _loaded(self, project_id: int, served: Served) -> Served:
        try:
            seat, engine = self._opened(served.method)
            if served.base_digest != engine.base_digest:
                raise AdapterError(
                    f"Version {served.name} was made for another base model than the one that is "
                    f"configured. Set {lane_kind(served.method).base_variable} to the base model "
                    "of this project's versions."
                )
            with seat.turn:
                self._ensure(engine, served)
        except (ArtifactError, AdapterError, BaseModelError) as error:
            self._metrics.load_failures.inc()
            self._refused[served.artifact_digest] = time.monotonic()
            good = self._good.get(project_id)
            if good is None or good.artifact_digest == served.artifact_digest:
                raise
            log.error("Version %s cannot be loaded, %s answers: %s", served.name, good.name, error)
            return good
        self._refused.pop(served.artifact_digest, None)
        self._good[project_id] = served
        return served

    def _ensure(self, engine: SpanEngine, served: Served) -> None:
        missed: list[bool] = []

        def read() -> AdapterFiles:
            missed.append(True)
            return self._read(served)

        try:
            engine.ensure(served.artifact_digest, read)
        finally:
            self._metrics.adapters_wanted.labels("miss" if missed else "hit").inc()

    def _robust(
        self, engine: SpanEngine, texts: Sequence[str], labels: LabelSet, adapter: str
    ) -> list[Prediction]:
        try:
            return engine.predict(texts, labels, adapter=adapter)
        except AdapterError:
            raise
        except Exception as error:  # noqa: BLE001 - one bad text must not cost the others theirs
            if len(texts) == 1:
                self._metrics.failed_texts.inc()
                log.warning("No prediction for a text: %s", type(error).__name__)
                return [NOTHING]
        return [item for text in texts for item in self._robust(engine, [text], labels, adapter)]

    def _warm(self, served: Callable[[], Iterable[tuple[int, Served]]]) -> None:
        try:
            in_use = list(served())
            if not in_use:
                self._opened(self._method)
            for project_id, version in in_use:
                self._warm_one(project_id, version)
        except NerLoopError as error:
            log.warning("Nothing was loaded ahead: %s", error)
        except Exception:
            log.exception("Nothing was loaded ahead")

    def _warm_one(self, project_id: int, version: Served) -> None:
        try:
            self._loaded(project_id, version)
        except NerLoopError as error:
            log.warning("Version %s was not loaded ahead: %s", version.name, error)
