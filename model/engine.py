"""One base model in memory with a method on it, and the adapters in use by digest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from model.errors import AdapterError
from model.lanes import DEFAULT_METHOD
from model.method import AdapterFiles, Fitted, NerMethod, Progress
from model.spans import AnnotatedText, LabelSet, Prediction

ADAPTER_LIMIT = 16


class Engine:
    """Predicts with any adapter of one base model; its methods may be called from several threads.

    Args:
        method: The method, on a loaded base model; this object becomes its only user.
        limit: Most adapters kept in memory; the least recently used one goes first.
    """

    def __init__(self, method: NerMethod, *, limit: int = ADAPTER_LIMIT) -> None:
        self._method = method
        self._limit = limit
        self._digests: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls, home: Path, base: str, *, method: str = DEFAULT_METHOD, threads: int | None = None
    ) -> Engine:
        """Load a base model and put a method on it.

        Args:
            home: The folder with nerloop's state.
            base: Catalogue name or folder of a base model of the kind the method needs.
            method: Name of the method.
            threads: CPU threads of torch; None leaves them as they are.

        Raises:
            UnknownMethodError: If there is no method of that name.
            BaseModelError: If the base model is missing, damaged, of another digest or of a kind
                the method cannot use.
        """
        from model.methods import load_base_for, open_method

        settings = {} if threads is None else {"threads": threads}
        return cls(open_method(method, load_base_for(method, home, base), settings))

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors."""
        return self._method.base_digest

    @property
    def method_name(self) -> str:
        """Name of the method in the registry."""
        return self._method.name

    @property
    def adapters(self) -> tuple[str, ...]:
        """Digests of the loaded adapters, the least recently used one first."""
        with self._lock:
            return tuple(self._digests)

    def ensure(self, digest: str, read: Callable[[], AdapterFiles]) -> None:
        """Make an adapter ready, reading its files only if they are not loaded yet.

        Args:
            digest: Digest of the artifact.
            read: Gives its files.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """
        with self._lock:
            if digest not in self._digests:
                self._method.load(digest, read())
                self._digests[digest] = None
            self._digests.move_to_end(digest)
            while len(self._digests) > self._limit:
                oldest, _ = self._digests.popitem(last=False)
                self._method.unload(oldest)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order.

        Args:
            texts: Any texts.
            labels: What is asked for.
            adapter: Digest of an adapter that :meth:`ensure` made ready.

        Raises:
            AdapterError: If the adapter is not loaded.
        """
        with self._lock:
            if adapter not in self._digests:
                raise AdapterError(f"The adapter {adapter} is not loaded.")
            self._digests.move_to_end(adapter)
            return self._method.predict(texts, labels, adapter=adapter)

    def fit(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText] = (),
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        """Train a new adapter from a copy of ``start``; predictions wait meanwhile.

        Raises:
            TrainingDataError: If ``support`` holds nothing to learn from.
            DivergedError: If the loss stops being finite.
            AdapterError: If ``start`` belongs to another base model.
        """
        with self._lock:
            return self._method.fit(
                support, labels, start=start, seed=seed, held_out=held_out, on_step=on_step
            )
