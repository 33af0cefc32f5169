"""Two versions side by side: scores, texts whose answers changed, and what they learnt from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.evaluation import bootstrap, metrics
from model.evaluation.changes import Kind, LabelChange, change_of
from model.evaluation.paired import differences, paired_counts
from model.registry import versions
from model.registry.data_difference import DataDifference, data_difference
from model.registry.errors import RegistryError
from model.registry.gold_rows import texts_of
from model.registry.scored_documents import PairedDocument, paired_documents
from model.registry.tables import Task
from model.registry.versions import VersionView
from model.spans import Span

DRAWS = 10_000
LEVEL = 0.05
_WORST_FIRST: tuple[Kind, ...] = ("broken", "other", "fixed")


@dataclass(frozen=True, slots=True)
class Figures:
    """Strict span scores, each in [0, 1], and the counts behind them."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label in both versions.

    Attributes:
        label: Its name.
        gold: Gold spans of it in the documents compared.
        first: Scores of the first version.
        second: Scores of the second.
        delta: F1 of the second minus F1 of the first, in [-1, 1].
        low: Lower bound of the 95 % interval of ``delta``.
        high: Upper bound.
    """

    label: str
    gold: int
    first: Figures
    second: Figures
    delta: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A held-out text about which the two versions say different things.

    Attributes:
        task_id: Label Studio's task.
        text: Its text; None if it was purged.
        gold: What people annotated.
        first: What the first version said, with scores.
        second: What the second said.
        kind: ``fixed`` if the second version makes only fewer errors, ``broken`` if only more,
            else ``other``.
        gone: Errors of the first that the second does not make.
        new: Errors of the second that the first does not make.
        counts: The same by label.
    """

    task_id: int
    text: str | None
    gold: tuple[Span, ...]
    first: tuple[Span, ...]
    second: tuple[Span, ...]
    kind: Kind
    gone: int
    new: int
    counts: tuple[LabelChange, ...]


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Two versions; every difference is the second minus the first.

    Attributes:
        first: The one version, usually the served one.
        second: The other, usually the candidate.
        documents: Held-out documents both were scored on.
        first_scores: Scores of the first on them; None without documents.
        second_scores: Scores of the second on them.
        delta: Difference of F1, in [-1, 1].
        low: Lower bound of its 95 % interval, from a paired bootstrap over documents.
        high: Upper bound.
        p: Two-sided p of the difference, in (0, 1].
        labels: Scores by label, those with the most gold first.
        changed: Texts whose answers changed: broken first, then other, then fixed.
        fixed: How many of them are fixed.
        broken: How many are broken.
        other: How many are neither.
        same: Documents both versions answer alike.
        data: What they were trained on.
        why_not: What cannot be compared, and why; None if everything can.
    """

    first: VersionView
    second: VersionView
    documents: int
    first_scores: Figures | None
    second_scores: Figures | None
    delta: float | None
    low: float | None
    high: float | None
    p: float | None
    labels: tuple[LabelRow, ...]
    changed: tuple[ChangedText, ...]
    fixed: int
    broken: int
    other: int
    same: int
    data: DataDifference
    why_not: str | None


def compare(session: Session, project_id: int, first: int, second: int) -> VersionComparison:
    """Compare two versions of a project by their numbers.

    Raises:
        UnknownVersionError: If the project has no version of such a number.
        RegistryError: If both are the same version.
    """
    views = [versions.version(session, project_id, number) for number in (first, second)]
    if first == second:
        raise RegistryError(f"Both are version {first}. Name two different versions to compare.")
    one, two = (versions.row(session, project_id, number) for number in (first, second))
    paired = paired_documents(session, one, two)
    seed = _seed(one.id, two.id, paired.digest)
    found = _difference(paired.first, paired.second, seed)
    changed = _changed(session, paired.documents)
    kinds = Counter(item.kind for item in changed)
    return VersionComparison(
        first=views[0],
        second=views[1],
        documents=len(paired.first),
        first_scores=_figures(paired.first) if found else None,
        second_scores=_figures(paired.second) if found else None,
        delta=found.difference if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        p=found.p if found else None,
        labels=_labels(paired.documents, seed),
        changed=changed,
        fixed=kinds["fixed"],
        broken=kinds["broken"],
        other=kinds["other"],
        same=len(paired.documents) - len(changed),
        data=data_difference(session, one.snapshot_id, two.snapshot_id),
        why_not=paired.why_not,
    )


def _difference(
    first: bootstrap.Counts, second: bootstrap.Counts, seed: int
) -> bootstrap.Comparison | None:
    if not len(first):
        return None
    return bootstrap.paired_bootstrap(
        second[None], first[None], draws=DRAWS, seed=seed, resample_supports=False
    )


def _seed(first_id: int, second_id: int, digest: str) -> int:
    material = f"{first_id} {second_id} {digest}".encode()
    return int.from_bytes(hashlib.sha256(material).digest()[:8], "big")


def _labels(documents: Sequence[PairedDocument], seed: int) -> tuple[LabelRow, ...]:
    if not documents:
        return ()
    counts = paired_counts(
        [item.gold for item in documents],
        [item.second for item in documents],
        [item.first for item in documents],
    )
    _, parts = differences(counts, level=LEVEL, label_level=LEVEL, draws=DRAWS, seed=seed)
    rows = (
        LabelRow(
            label=name,
            gold=part.gold,
            first=_figures(counts.second[place]),
            second=_figures(counts.first[place]),
            delta=part.delta,
            low=part.low,
            high=part.high,
        )
        for place, (name, part) in enumerate(zip(counts.labels, parts, strict=True))
    )
    return tuple(sorted(rows, key=lambda row: (-row.gold, row.label)))


def _figures(counts: bootstrap.Counts) -> Figures:
    correct, predicted, gold = (int(total) for total in counts.sum(axis=0))
    summed = metrics.Counts(correct, predicted, gold)
    return Figures(summed.precision, summed.recall, summed.f1, correct, predicted)


def _changed(session: Session, documents: Sequence[PairedDocument]) -> tuple[ChangedText, ...]:
    both = [(item, change_of(item.gold, item.first, item.second)) for item in documents]
    moved = [(item, change) for item, change in both if change is not None]
    texts = texts_of(session, sorted({item.text_digest for item, _ in moved}))
    tasks = _task_ids(session, [item.task_ref for item, _ in moved])
    found = (
        ChangedText(
            task_id=tasks[item.task_ref],
            text=texts.get(item.text_digest),
            gold=item.gold,
            first=item.first,
            second=item.second,
            kind=change.kind,
            gone=change.gone,
            new=change.new,
            counts=change.labels,
        )
        for item, change in moved
    )
    return tuple(
        sorted(found, key=lambda t: (_WORST_FIRST.index(t.kind), -(t.gone + t.new), t.task_id))
    )


def _task_ids(session: Session, refs: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for first in range(0, len(refs), 500):
        wanted = select(Task.id, Task.task_id).where(Task.id.in_(refs[first : first + 500]))
        found.update((ref, task_id) for ref, task_id in session.execute(wanted))
    return found
