"""What is measured: a method, a start adapter, labels, a test and support sets, with digests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.errors import NerLoopError
from model.evaluation.digests import adapter_digest, items_digest, value_digest
from model.method import AdapterFiles, NerMethod
from model.spans import AnnotatedText, LabelSet


class ProtocolError(NerLoopError):
    """The measurement cannot be made with these files and options."""


@dataclass(frozen=True, slots=True)
class SupportSet:
    """The shots of one run.

    Attributes:
        name: How the run is called in reports; None for zero-shot.
        items: The annotated texts; none for zero-shot.
    """

    name: str | None
    items: tuple[AnnotatedText, ...] = ()

    @property
    def digest(self) -> str | None:
        """Digest of texts and spans; None for zero-shot."""
        return items_digest(self.items) if self.items else None


ZERO_SHOT = SupportSet(None)
_NO_SEED = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a run depends on, but for support set and seed.

    Attributes:
        method: The method on its base model.
        start: Files of the adapter that zero-shot scores and that a fit starts from.
        labels: The labels asked, in order.
        test: The sentences, repeated ones included.
        oracle_types: Ask each sentence only for the labels of its gold spans.
    """

    method: NerMethod
    start: AdapterFiles
    labels: LabelSet
    test: tuple[AnnotatedText, ...]
    oracle_types: bool = False

    def digests(self) -> dict[str, Any]:
        """Digests of every part by its name."""
        return {
            "base": self.method.base_digest,
            "source_adapter": adapter_digest(self.start),
            "labels": self.labels.digest,
            "sentences": items_digest(self.test),
        }

    def run_digest(self, support: SupportSet, seed: int) -> str:
        """Digest of all that determines the run of a support set; zero-shot has no seed."""
        return value_digest(
            {
                **self.digests(),
                "method": self.method.name,
                "config": self.method.config_json(),
                "oracle_types": self.oracle_types,
                "support": support.digest,
                # nothing is trained without a support set, so all seeds are the same run
                "seed": seed if support.items else _NO_SEED,
            }
        )


def chosen(total: int, limit: int, seed: int) -> list[int]:
    """Places of ``limit`` of ``total`` sentences, in ascending order; all of them for limit 0.

    Every place gets the next number of ``random.Random(seed).random()``, and the lowest numbers
    win. Python promises that sequence for all its versions, and nothing else takes part, so a
    limit and a seed always name the same sentences of a file, and a lower limit names some of them.
    """
    if not limit or limit >= total:
        return list(range(total))
    draw = random.Random(seed)
    numbers = [(draw.random(), place) for place in range(total)]
    return sorted(place for _, place in sorted(numbers)[:limit])


def check(measurement: Measurement, supports: Sequence[SupportSet]) -> None:
    """Refuse what cannot be measured, before anything is trained.

    Raises:
        ProtocolError: If the test is empty, a support set or the test has a label that is not
            asked, a support set has no span or holds the whole test.
    """
    if not measurement.test:
        raise ProtocolError("The test holds no sentence, so there is nothing to score.")
    asked = set(measurement.labels.names)
    _only_asked("The test", measurement.test, asked)
    tested = {item.text for item in measurement.test}
    for support in supports:
        name = f"The support set {support.name}"
        _only_asked(name, support.items, asked)
        if support.name is not None and not any(item.spans for item in support.items):
            raise ProtocolError(f"{name} holds no span, so there is nothing to learn from.")
        if tested <= {item.text for item in support.items}:
            raise ProtocolError(
                f"{name} holds every sentence of the test: nothing is left to score."
            )


def _only_asked(what: str, items: Sequence[AnnotatedText], asked: set[str]) -> None:
    unknown = sorted({span.label for item in items for span in item.spans} - asked)
    if unknown:
        raise ProtocolError(
            f"{what} has spans of {', '.join(unknown)}, but the labels asked are "
            f"{', '.join(sorted(asked))}."
        )
