"""Predictions of the served adapters: one engine, loaded once, adapters by digest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, Thread
from typing import Protocol

from backend.metrics import Metrics
from backend.settings import Settings
from model.errors import AdapterError, NerLoopError
from model.method import AdapterFiles
from model.registry.aliases import Served
from model.registry.artifacts import ArtifactStore
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


def engine_opener(settings: Settings) -> Callable[[], SpanEngine]:
    """Opens the configured base model; torch is imported only then."""

    def open_engine() -> SpanEngine:
        from model.engine import Engine

        return Engine.open(settings.home, settings.base, threads=settings.threads)

    return open_engine


class Serving:
    """Answers for every project with the version it serves.

    Args:
        open_engine: Loads the base model; called once, on the first need.
        store: Where adapters are read from, verified.
        metrics: Counts refused adapters and failed texts.
    """

    def __init__(
        self, open_engine: Callable[[], SpanEngine], store: ArtifactStore, metrics: Metrics
    ) -> None:
        self._open_engine, self._store, self._metrics = open_engine, store, metrics
        self._engine: SpanEngine | None = None
        self._opening = Lock()
        self._turn = Lock()
        self._good: dict[int, Served] = {}
        self._refused: dict[str, float] = {}

    @property
    def is_ready(self) -> bool:
        """Whether the base model is in memory."""
        return self._engine is not None

    def warm_up(self, served: Callable[[], Iterable[tuple[int, Served]]]) -> Thread:
        """Load the base model and the adapters in use, in the background.

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
        engine = self._opened()
        chosen = self._loaded(engine, project_id, self.current(project_id, wanted))
        found: list[Prediction] = []
        for first in range(0, len(texts), CHUNK):
            part = texts[first : first + CHUNK]
            with self._turn:
                # another project's requests may have pushed the adapter out meanwhile
                engine.ensure(chosen.artifact_digest, self._reader(chosen))
                found += self._robust(engine, part, labels, chosen.artifact_digest)
        return chosen, found

    def _opened(self) -> SpanEngine:
        with self._opening:
            if self._engine is None:
                begun = time.monotonic()
                self._engine = self._open_engine()
                log.info("The base model is loaded (%.1f s).", time.monotonic() - begun)
            return self._engine

    def _reader(self, served: Served) -> Callable[[], AdapterFiles]:
        return lambda: self._store.read(served.artifact_digest)

    def _loaded(self, engine: SpanEngine, project_id: int, served: Served) -> Served:
        try:
            if served.base_digest != engine.base_digest:
                raise AdapterError(
                    f"Version {served.name} was made for another base model than the one that is "
                    "configured. Set NERLOOP_BASE to the base model of this project's versions."
                )
            with self._turn:
                engine.ensure(served.artifact_digest, self._reader(served))
        except (ArtifactError, AdapterError) as error:
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
            engine = self._opened()
            for project_id, version in served():
                self._loaded(engine, project_id, version)
        except NerLoopError as error:
            log.warning("Nothing was loaded ahead: %s", error)
        except Exception:
            log.exception("Nothing was loaded ahead")
