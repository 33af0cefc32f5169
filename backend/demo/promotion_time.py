"""How long it takes from a promotion until the annotator's next task shows the version."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from backend.labelstudio.client import LabelStudioClient
from model.errors import NerLoopError
from model.registry import aliases, predictions, versions
from model.registry.session import Database
from model.registry.tables import Project

Way = Literal["pushed", "not pushed"]

WAYS: tuple[Way, ...] = ("pushed", "not pushed")
PAUSE_SECONDS = 0.02
"""Between two questions for the next task; a question itself takes 0.03 to 0.1 s."""
LIMIT_SECONDS = 120.0
ACTOR = "bench promotion"
REASON = "measures the time until an annotator sees it"


class PromotionTimeError(NerLoopError):
    """The time cannot be measured with these versions."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One promotion.

    Attributes:
        way: Whether Label Studio had the version's predictions already.
        version: What was promoted, as Label Studio names it.
        rows: Predictions that had to be pushed.
        commit_seconds: Length of the promoting transaction.
        seconds: From the end of that transaction until the next task showed the version.
    """

    way: Way
    version: str
    rows: int
    commit_seconds: float
    seconds: float


class PromotionClock:
    """Promotes two versions in turn and asks for the next task until it shows the new one.

    Args:
        client: Speaks to Label Studio as an annotator does.
        database: The registry.
        project: The project; its served version is put back at the end.
        pair: Numbers of two versions whose window is predicted.
        clock: Seconds, monotonic.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        database: Database,
        project: Project,
        pair: tuple[int, int],
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client, self._database, self._project = client, database, project
        self._pair, self._clock, self._sleep = pair, clock, sleep

    def measure(self, repeats: int) -> Iterator[Timing]:
        """So many promotions each way; the first two, which push everything, are not among them.

        Raises:
            UnknownVersionError: If there is no such version.
            PromotionTimeError: If they are one version, a window is not predicted, or the version
                does not appear within two minutes.
            LabelStudioError: If Label Studio does not answer.
        """
        self._require()
        with self._database.read() as session:
            before = aliases.served(session, self._project.id).number
        try:
            self._settle()
            for way in WAYS:
                for _ in range(repeats):
                    yield self._promotion(self._other(), way)
        finally:
            self._serve(before)

    def _require(self) -> None:
        if self._pair[0] == self._pair[1]:
            raise PromotionTimeError("Name two different versions to promote in turn.")
        with self._database.read() as session:
            for number in self._pair:
                row = versions.row(session, self._project.id, number)
                if not predictions.complete(session, row.id):
                    raise PromotionTimeError(
                        f"Version {number} has not predicted all open texts. It does so by itself "
                        "once it was nominated or promoted; try again in a minute."
                    )

    def _settle(self) -> None:
        for _ in self._pair:
            self._promotion(self._other(), "pushed")

    def _other(self) -> int:
        with self._database.read() as session:
            now = aliases.served(session, self._project.id).number
        return self._pair[1] if now == self._pair[0] else self._pair[0]

    def _promotion(self, number: int, way: Way) -> Timing:
        name = f"{self._project.ls_id}.{number}"
        rows = self._forget(number, name) if way == "not pushed" else 0
        begun = self._clock()
        self._serve(number)
        committed = self._clock()
        while self._client.next_versions(self._project.ls_id) != {name}:
            if self._clock() - committed > LIMIT_SECONDS:
                raise PromotionTimeError(
                    f"Version {name} did not appear in {LIMIT_SECONDS:.0f} s. Is nerloop running, "
                    "and does its courier reach Label Studio?"
                )
            self._sleep(PAUSE_SECONDS)
        return Timing(way, name, rows, committed - begun, self._clock() - committed)

    def _forget(self, number: int, name: str) -> int:
        """Take the version's rows out of Label Studio, as if it had never been served."""
        self._client.delete_rows(self._project.ls_id, name)
        with self._database.begin() as session:
            row = versions.row(session, self._project.id, number)
            return predictions.forget_pushed(session, row.id)

    def _serve(self, number: int) -> None:
        with self._database.begin() as session:
            if aliases.served(session, self._project.id).number != number:
                aliases.promote(session, self._project.id, number, actor=ACTOR, reason=REASON)


@dataclass(frozen=True, slots=True)
class Summary:
    """Seconds of one way: how often, median, lowest, highest."""

    repeats: int
    median: float
    lowest: float
    highest: float


def summary(timings: list[Timing], way: Way) -> Summary | None:
    """What the promotions of one way took; None if there was none."""
    seconds = [item.seconds for item in timings if item.way == way]
    if not seconds:
        return None
    return Summary(len(seconds), statistics.median(seconds), min(seconds), max(seconds))
