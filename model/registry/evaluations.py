"""Evaluations: what a version answered on held-out documents, and how right it was."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from model.registry.tables_versions import Evaluation
from model.spans import Span


@dataclass(frozen=True, slots=True)
class Answer:
    """What a version said of one held-out document.

    Attributes:
        text_digest: The document's text.
        gold: Its gold spans of the labels asked for.
        said: The predicted spans, with scores.
    """

    text_digest: str
    gold: tuple[Span, ...]
    said: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts and answers of one version on a set of held-out documents.

    Attributes:
        eval_digest: Digest of the documents and their gold.
        documents: Per document (task, true positives, predicted, gold).
        answers: The same documents in the same order; empty where they were not kept.
    """

    eval_digest: str
    documents: tuple[tuple[int, int, int, int], ...]
    answers: tuple[Answer, ...] = ()

    @property
    def totals(self) -> tuple[int, int, int]:
        """True positives, predicted and gold spans in all."""
        columns = list(zip(*self.documents, strict=True)) or [(), (0,), (0,), (0,)]
        return sum(columns[1]), sum(columns[2]), sum(columns[3])


def keep(session: Session, version_id: int, scores: Scores) -> None:
    """Write what a version scored; the same documents scored again change nothing."""
    if session.get(Evaluation, (version_id, scores.eval_digest)) is not None:
        return
    true_positives, predicted, gold = scores.totals
    session.add(
        Evaluation(
            version_id=version_id,
            eval_digest=scores.eval_digest,
            documents=[list(row) for row in scores.documents],
            answers=[_to_json(answer) for answer in scores.answers] or None,
            true_positives=true_positives,
            predicted=predicted,
            gold=gold,
        )
    )
    session.flush()


def latest(session: Session, version_id: int) -> Evaluation | None:
    """The version's newest evaluation, if any; its answers are read only when asked for."""
    return session.scalar(
        select(Evaluation)
        .options(defer(Evaluation.answers))
        .where(Evaluation.version_id == version_id)
        .order_by(Evaluation.created_at.desc())
        .limit(1)
    )


def scores_of(row: Evaluation) -> Scores:
    """The counts and answers of a stored evaluation."""
    return Scores(
        row.eval_digest,
        tuple((int(task), int(a), int(b), int(c)) for task, a, b, c in row.documents),
        tuple(
            Answer(
                str(digest),
                tuple(Span(int(s), int(e), str(n)) for s, e, n in gold),
                tuple(Span(int(s), int(e), str(n), float(p)) for s, e, n, p in said),
            )
            for digest, gold, said in row.answers or ()
        ),
    )


def _to_json(answer: Answer) -> list[object]:
    return [
        answer.text_digest,
        [[span.start, span.end, span.label] for span in answer.gold],
        [[span.start, span.end, span.label, span.score] for span in answer.said],
    ]
