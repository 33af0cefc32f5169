"""Adapters of source stages, trained once and kept in a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from model.baselines.fewshot import FewShotBaseline
from model.encoding.files import CONFIG_FILE, ORIGIN_FILE, WEIGHTS_FILE
from model.evaluation.digests import items_digest, value_digest
from model.method import AdapterFiles, Progress
from model.spans import AnnotatedText, LabelSet

_FILES = (WEIGHTS_FILE, CONFIG_FILE, ORIGIN_FILE)


def source_folder(
    folder: Path,
    method: FewShotBaseline,
    corpus: Sequence[AnnotatedText],
    labels: LabelSet,
    seed: int,
) -> Path:
    """Where the adapter of a source stage is kept: named by all that determines it.

    Settings of the target stage and the number of threads do not count.
    """
    run = {
        "method": method.name,
        "base": method.base_digest,
        "config": method.source_json(),
        "data": items_digest(corpus),
        "labels": labels.digest,
        "seed": seed,
    }
    return folder / f"{method.name}-{value_digest(run)[:16]}"


def kept_source(
    folder: Path,
    method: FewShotBaseline,
    corpus: Sequence[AnnotatedText],
    labels: LabelSet,
    *,
    seed: int,
    on_step: Callable[[Progress], None] | None = None,
) -> AdapterFiles:
    """The adapter of a source stage: read where it is kept, else trained and kept.

    Args:
        folder: Holds a folder for each source stage; made if missing.
        method: The baseline.
        corpus: Annotated texts.
        labels: Their labels.
        seed: Seeds everything random.
        on_step: Called after each step of a training.

    Raises:
        TrainingDataError: If no text holds a span of a label.
        DivergedError: If the loss stops being finite.
    """
    kept = source_folder(folder, method, corpus, labels, seed)
    if not kept.is_dir():
        fitted = method.fit_source(corpus, labels, seed=seed, on_step=on_step)
        _write(kept, fitted.files)
    return {name: (kept / name).read_bytes() for name in _FILES}


def _write(folder: Path, files: AdapterFiles) -> None:
    # written aside and renamed, so that a folder of that name is always whole
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, content in files.items():
            (aside / name).write_bytes(content)
        os.replace(aside, folder)
    except OSError:
        # What is left over does no harm; the error that says why is raised below.
        shutil.rmtree(aside, ignore_errors=True)
        if not folder.is_dir():
            raise
