"""The source stage of encoder methods: what `nerloop base train --method` does for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from model.errors import NerLoopError

if TYPE_CHECKING:
    from model.method import Fitted, Progress
    from model.spans import AnnotatedText, LabelSet

OnStep = Callable[["Progress"], None]
_SOURCE = "fewnerd_inter"


class SourceStageError(NerLoopError):
    """There is no such source stage."""


@runtime_checkable
class SourceLearner(Protocol):
    """A method with a source stage on a corpus and its own labels."""

    def fit_source(
        self,
        corpus: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        seed: int,
        on_step: OnStep | None = None,
    ) -> Fitted:
        """Train an adapter that fits on support sets start from."""


def source_corpus(data: Path, split: str) -> list[AnnotatedText]:
    """The sentences a source stage reads, each once.

    Args:
        data: Folder that holds ``fewnerd_inter/``.
        split: ``inter`` for all; ``intra-like`` for those with types of INTRA's training part
            alone, before episodes of that split.

    Raises:
        SourceStageError: If there is no such split.
        ConllError: If a file cannot be read.
    """
    from model.data.conll import read_conll, without_repeats
    from model.data.episode_files import INTER, INTRA_LIKE, SPLITS_FILE, intra_source

    if split not in (INTER, INTRA_LIKE):
        raise SourceStageError(f"There is no source split {split!r}: `inter` or `intra-like`.")
    corpus = without_repeats(read_conll(data / _SOURCE / "train.conll"))
    return corpus if split == INTER else intra_source(corpus, data / _SOURCE / SPLITS_FILE)


def trained(
    method: str,
    corpus: Sequence[AnnotatedText],
    data: Path,
    home: Path,
    base: str,
    *,
    steps: int,
    seed: int,
    threads: int,
    on_step: OnStep | None = None,
) -> Fitted:
    """Train the source stage of an encoder method.

    Args:
        method: Name of the method.
        corpus: What is read.
        data: Folder that holds ``fewnerd_inter/`` with the names of the labels.
        home: The folder with nerloop's state.
        base: Name or folder of the encoder.
        steps: Optimiser steps of the label-aware method; the others have settings of their own.
        seed: Seeds everything random.
        threads: CPU threads.
        on_step: Called after each step.

    Raises:
        SourceStageError: If the method has no source stage.
        NerLoopError: If a file or the encoder cannot be used, or the run diverges.
    """
    from model.data.bench_files import LABELS_FILE
    from model.data.conll import read_label_set
    from model.methods import load_base_for, open_method
    from model.spans import LabelSet

    if method == "label_aware":
        return _label_aware(corpus, home, base, steps, seed, threads, on_step)
    opened = open_method(method, load_base_for(method, home, base), {"threads": threads})
    if not isinstance(opened, SourceLearner):
        raise SourceStageError(f"The method {method} has no source stage.")
    present = {span.label for item in corpus for span in item.spans}
    known = read_label_set(data / _SOURCE / LABELS_FILE)
    labels = LabelSet(tuple(label for label in known if label.name in present))
    return opened.fit_source(corpus, labels, seed=seed, on_step=on_step)


def _label_aware(
    corpus: Sequence[AnnotatedText],
    home: Path,
    base: str,
    steps: int,
    seed: int,
    threads: int,
    on_step: OnStep | None,
) -> Fitted:
    from dataclasses import replace

    from model.base.encoder import load_encoder
    from model.cllmfs.source import SourceMix, SourceSampler
    from model.cllmfs.source_questions import QuestionMix
    from model.label_aware.method import LabelAware
    from model.label_aware.source_training import SOURCE_CONFIG, train_base_adapter

    config = replace(SOURCE_CONFIG, threads=threads)
    method = LabelAware(load_encoder(home, base), config)
    drawn = random.Random(seed).sample(list(corpus), min(len(corpus), SENTENCES))
    mix = SourceMix(questions=QuestionMix(**QUESTIONS))
    sampler = SourceSampler(drawn, mix, seed)
    return train_base_adapter(
        method, sampler.draw, steps=steps, seed=seed, config=config, on_step=on_step
    )


SENTENCES = 6_000
"""Sentences of the corpus that are drawn from: more than a run of the usual length reads."""

QUESTIONS: dict[str, Any] = {"fewest": 4, "most": 12}
"""Labels read with one text: more than a language model is asked, for they share one pass."""
