"""Trainings that several arms or tasks share are made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backend.studies.arms import PREDICTION_SETTINGS
from model import evaluation
from model.evaluation.digests import adapter_digest, items_digest, value_digest
from model.evaluation.machine import peak_rss_mb
from model.method import AdapterFiles, Fitted, NerMethod, Progress
from model.spans import AnnotatedText, LabelSet, Prediction

_RECORD = "training.json"
_CODE = {
    "cllmfs": (
        *(
            "contrast",
            "examples",
            "frozen",
            "gradients",
            "lora",
            "lora_blocks",
            "losses",
            "method",
            "objective",
        ),
        *("packing", "prompt", "schedule", "training", "wording"),
    ),
    "base": ("attention", "decoder", "operations", "side_by_side"),
}
"""The modules of ``model`` that a training of CLLMFS depends on."""


def training_code_digest() -> str:
    """SHA-256 over the source files that a training of CLLMFS depends on.

    Raises:
        OSError: If one of them cannot be read.
    """
    folder = Path(evaluation.__file__).parents[1]
    paths = [folder / part / f"{name}.py" for part, names in _CODE.items() for name in names]
    return value_digest(
        {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
        }
    )


class Remembered:
    """A method whose trainings are kept in a folder and taken from there the next time.

    Arms that differ in decoding alone, and tasks that change the scored text alone, share their
    trainings: a training is determined by base model, start, settings, labels, support, seed and
    the code that trains.

    Args:
        method: The method; its adapters must not depend on :data:`PREDICTION_SETTINGS`.
        folder: Where trainings are kept.
        since: Trainings made before this time, in seconds since 1970, are made again.

    Attributes:
        seconds: Wall time of the last training, when it was made.
        peak_rss_mb: Highest resident memory of the process that made it, in 2**20 bytes.
    """

    def __init__(self, method: NerMethod, folder: Path, *, since: float = 0.0) -> None:
        self._method = method
        self._folder = folder
        self._since = since
        self._code = training_code_digest()
        self.seconds = 0.0
        self.peak_rss_mb = 0.0

    @property
    def name(self) -> str:
        """The method's name."""
        return self._method.name

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors."""
        return self._method.base_digest

    def config_json(self) -> dict[str, Any]:
        """The method's configuration."""
        return self._method.config_json()

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
        """Take the training from the folder, or make it; see :class:`model.method.NerMethod`.

        Raises:
            NerLoopError: What the method raises.
            OSError: If the folder cannot be written.
        """
        folder = self._folder / self._key(support, labels, start, seed, held_out)
        record = self._record(folder)
        if record is None:
            began = time.monotonic()
            fitted = self._method.fit(
                support, labels, start=start, seed=seed, held_out=held_out, on_step=on_step
            )
            record = self._keep(folder, fitted, time.monotonic() - began)
        self.seconds, self.peak_rss_mb = record["seconds"], record["peak_rss_mb"]
        files = {name: (folder / name).read_bytes() for name in record["files"]}
        return Fitted(files, record["config"], record["report"])

    def load(self, adapter: str, files: AdapterFiles) -> None:
        """Make an adapter available under a name."""
        self._method.load(adapter, files)

    def unload(self, adapter: str) -> None:
        """Forget an adapter."""
        self._method.unload(adapter)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        """One prediction per text, in order."""
        return self._method.predict(texts, labels, adapter=adapter)

    def _record(self, folder: Path) -> dict[str, Any] | None:
        path = folder / _RECORD
        if not path.is_file():
            return None
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record if record["made"] >= self._since else None

    def _key(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText],
    ) -> str:
        config = self.config_json()
        return value_digest(
            {
                "method": self.name,
                "code": self._code,
                "base": self.base_digest,
                "start": adapter_digest(start),
                "config": {k: v for k, v in config.items() if k not in PREDICTION_SETTINGS},
                "labels": labels.digest,
                "support": items_digest(support),
                "held_out": items_digest(held_out),
                "seed": seed,
            }
        )

    def _keep(self, folder: Path, fitted: Fitted, seconds: float) -> dict[str, Any]:
        folder.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "files": sorted(fitted.files),
            "config": fitted.config,
            "report": fitted.report,
            "seconds": round(seconds, 2),
            "peak_rss_mb": peak_rss_mb(),
            "made": time.time(),
        }
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name[:8]}.", dir=folder.parent))
        for name, content in fitted.files.items():
            (aside / name).write_bytes(content)
        (aside / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        # whole or not at all: an interrupted training leaves nothing that looks like one
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=".old.", dir=folder.parent))
            os.replace(folder, old)
            shutil.rmtree(old)
        os.replace(aside, folder)
        return record
