"""Held-out documents of a seeded registry, scored, and the verdict on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from admin_answers import FLOOR, Judged, answer, counts_of, digest_of, judge, label_rows
from backend.pages.formatting import change, points
from model.registry.session import Session
from model.registry.tables import AnnotationRevision, Task
from model.registry.tables_admin import Verdict
from model.registry.tables_versions import AdapterVersion, Evaluation
from model.spans import AnnotatedText, Span


@dataclass(frozen=True, slots=True)
class Document:
    """A task with its text, its gold and the revision that holds it."""

    task: Task
    item: AnnotatedText
    revision: AnnotationRevision


Documents = Sequence[Document]
Said = Sequence[Sequence[Span]]


def judge_on(
    session: Session,
    pair: tuple[AdapterVersion, AdapterVersion],
    qualities: tuple[float, float],
    blind: Documents,
    at: datetime,
    labels: tuple[str, ...],
) -> Judged:
    """Score candidate and served on the same documents and write what the gate says."""
    golds = [one.item for one in blind]
    first, second = ([answer(item, q, labels) for item in golds] for q in qualities)
    counts = counts_of(golds, first), counts_of(golds, second)
    digest = digest_of("held-out", pair[0].project_id, [one.task.id for one in blind])
    for version, said, counted in zip(pair, (first, second), counts, strict=True):
        session.add(_evaluation(version.id, digest, blind, said, counted, at))
    judged = judge(*counts)
    rows = label_rows(golds, first, second) if len(blind) >= FLOOR else []
    session.add(_verdict(pair, judged, rows, digest, len(blind), at))
    session.flush()
    return judged


def _evaluation(
    version_id: int,
    digest: str,
    blind: Documents,
    said: Said,
    counts: Sequence[Sequence[int]],
    at: datetime,
) -> Evaluation:
    return Evaluation(
        version_id=version_id,
        eval_digest=digest,
        documents=[[one.task.id, *own] for one, own in zip(blind, counts, strict=True)],
        answers=[
            [
                one.task.text_digest,
                [[s.start, s.end, s.label] for s in one.item.spans],
                [[s.start, s.end, s.label, s.score] for s in spans],
            ]
            for one, spans in zip(blind, said, strict=True)
        ],
        true_positives=sum(own[0] for own in counts),
        predicted=sum(own[1] for own in counts),
        gold=sum(own[2] for own in counts),
        created_at=at,
    )


def _verdict(
    pair: tuple[AdapterVersion, AdapterVersion],
    judged: Judged,
    rows: list[dict[str, object]],
    digest: str,
    documents: int,
    at: datetime,
) -> Verdict:
    enough = documents >= FLOOR
    needed = max(FLOOR, 3 * documents) if judged.verdict == "HOLD" else None
    return Verdict(
        project_id=pair[0].project_id,
        lane=pair[0].method,
        candidate_id=pair[0].id,
        served_id=pair[1].id,
        look=1 if enough else 0,
        eval_digest=digest,
        verdict=judged.verdict,
        reason=_reason(judged, documents, needed),
        level=0.025 if enough else 0.0,
        documents=documents,
        needed=needed,
        no_harm=enough and judged.delta >= 0 and judged.low > -0.005,
        candidate_f1=judged.candidate_f1 if enough else None,
        served_f1=judged.served_f1 if enough else None,
        delta=judged.delta if enough else None,
        low=judged.low if enough else None,
        high=judged.high if enough else None,
        label_scores=rows,
        policy="manual",
        at=at,
    )


def _reason(judged: Judged, documents: int, needed: int | None) -> str:
    figures = (
        f"{points(judged.delta)} points ({change(judged.low, judged.high)}) "
        f"on {documents} held-out texts"
    )
    if documents < FLOOR:
        return f"{documents} held-out texts are too few to decide; {FLOOR} are needed at least"
    if judged.verdict == "HOLD":
        return f"{figures}: not certain yet; about {needed} would decide"
    return f"{figures}: {'better' if judged.verdict == 'PROMOTE' else 'worse'} beyond doubt"
