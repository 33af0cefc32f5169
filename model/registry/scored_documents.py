"""Held-out documents that two versions were both scored on, with their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from model.evaluation.bootstrap import Counts
from model.evaluation.digests import value_digest
from model.evaluation.metrics import count
from model.registry.evaluations import scores_of
from model.registry.tables_versions import AdapterVersion, Evaluation, SnapshotItem
from model.spans import Span

_OLD = (
    "The answers of these versions were not kept when they were scored, so labels and texts cannot "
    "be compared. Versions made from now on can be."
)


@dataclass(frozen=True, slots=True)
class PairedDocument:
    """One document with its gold and both answers; spans in source order."""

    task_ref: int
    text_digest: str
    gold: tuple[Span, ...]
    first: tuple[Span, ...]
    second: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Paired:
    """What two versions said of the same documents.

    Attributes:
        first: (correct, predicted, gold) of each document. Shape ``(n, 3)``.
        second: The same of the second version, in the same order. Shape ``(n, 3)``.
        documents: The documents themselves; empty if the answers were not kept.
        digest: Of the documents compared.
        why_not: What cannot be compared, and why; None if everything can.
    """

    first: Counts
    second: Counts
    documents: tuple[PairedDocument, ...] = ()
    digest: str = ""
    why_not: str | None = None


_Key = tuple[int, str, frozenset[tuple[int, int, str]]]


def paired_documents(session: Session, first: AdapterVersion, second: AdapterVersion) -> Paired:
    """Held-out documents with the same gold that both versions answered and neither learnt from.

    Both versions scored at one time give all documents of that time; else those that the newest
    scores of both have in common.
    """
    one, two = (_evaluations(session, version.id) for version in (first, second))
    for numbers, found in ((first.number, one), (second.number, two)):
        if not found:
            return _nothing(f"Version {numbers} was never scored on held-out documents.")
    shared = next((mark for mark in one if mark in two), None)
    if shared is None:
        return _newest(session, (first, second), one, two)
    left, right = one[shared], two[shared]
    if left.answers is None or right.answers is None:
        return _counted(left, right)
    return _answered(session, (first, second), left, right)


def _newest(
    session: Session,
    versions: tuple[AdapterVersion, AdapterVersion],
    one: dict[str, Evaluation],
    two: dict[str, Evaluation],
) -> Paired:
    left, right = (
        next((item for item in found.values() if item.answers is not None), None)
        for found in (one, two)
    )
    if left is None or right is None:
        return _nothing(f"The two versions were scored at different times. {_OLD}")
    return _answered(session, versions, left, right)


def _answered(
    session: Session,
    versions: tuple[AdapterVersion, AdapterVersion],
    left: Evaluation,
    right: Evaluation,
) -> Paired:
    learnt = _learnt(session, versions)
    answers = _answers(right)
    documents = tuple(
        PairedDocument(key[0], key[1], gold, said, answers[key][1])
        for key, (gold, said) in _answers(left).items()
        if key in answers and key[1] not in learnt
    )
    if not documents:
        return _nothing("The two versions have no held-out document with the same gold in common.")
    return Paired(
        _counts((item.gold, item.first) for item in documents),
        _counts((item.gold, item.second) for item in documents),
        documents,
        value_digest([[d.text_digest, [list(s.key) for s in d.gold]] for d in documents]),
    )


def _counted(left: Evaluation, right: Evaluation) -> Paired:
    rows = {ref: figures for ref, *figures in right.documents}
    both = [(figures, rows[ref]) for ref, *figures in left.documents if ref in rows]
    if not both:
        return _nothing("The two versions have no held-out document in common.")
    first, second = (np.array(side, dtype=np.float64) for side in zip(*both, strict=True))
    return Paired(first, second, digest=left.eval_digest, why_not=_OLD)


def _evaluations(session: Session, version_id: int) -> dict[str, Evaluation]:
    """By digest, newest first."""
    rows = session.scalars(
        select(Evaluation)
        .where(Evaluation.version_id == version_id)
        .order_by(Evaluation.created_at.desc(), Evaluation.eval_digest)
    )
    return {row.eval_digest: row for row in rows}


def _answers(row: Evaluation) -> dict[_Key, tuple[tuple[Span, ...], tuple[Span, ...]]]:
    kept, found = scores_of(row), {}
    for (task_ref, *_), answer in zip(kept.documents, kept.answers, strict=True):
        key = (task_ref, answer.text_digest, frozenset(span.key for span in answer.gold))
        found[key] = tuple(sorted(answer.gold)), tuple(sorted(answer.said))
    return found


def _learnt(session: Session, versions: tuple[AdapterVersion, AdapterVersion]) -> set[str]:
    snapshots = [item.snapshot_id for item in versions if item.snapshot_id is not None]
    wanted = select(SnapshotItem.text_digest).where(SnapshotItem.snapshot_id.in_(snapshots))
    return set(session.scalars(wanted))


def _counts(pairs: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> Counts:
    rows = [count(gold, said) for gold, said in pairs]
    return np.array([(row.correct, row.predicted, row.gold) for row in rows], dtype=np.float64)


def _nothing(why: str) -> Paired:
    empty = np.zeros((0, 3))
    return Paired(empty, empty, why_not=why)
