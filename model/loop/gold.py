"""Which annotation speaks for a task, and what a set of gold annotations amounts to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

SpanKey = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Revision:
    """The current content of one annotation.

    Attributes:
        revision_id: Row of the registry.
        annotation_id: Label Studio's id.
        updated_at: Label Studio's time of the last change, ISO.
        kind: ``gold``, ``skipped``, ``machine`` or ``unusable``.
        ground_truth: Whether an annotator starred it.
        spans: Its spans.
    """

    revision_id: int
    annotation_id: int
    updated_at: str
    kind: str
    ground_truth: bool
    spans: tuple[SpanKey, ...]


@dataclass(frozen=True, slots=True)
class GoldText:
    """The gold of one task: which text, which revision, which spans."""

    task_ref: int
    text_digest: str
    revision_id: int
    spans: tuple[SpanKey, ...]


def choose_gold(revisions: Iterable[Revision]) -> Revision | None:
    """The one annotation that speaks for a task.

    Only gold counts: not skipped, not a machine copy, offsets intact. Ground truth first, then the
    newest change, then the highest id.

    Returns:
        The chosen revision, or None if there is none.
    """
    usable = [item for item in revisions if item.kind == "gold"]
    if not usable:
        return None
    return max(usable, key=lambda r: (r.ground_truth, _moment(r.updated_at), r.annotation_id))


def _moment(time: str) -> tuple[float, str]:
    # as text, "…22Z" would come after "…22.5Z"
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return 0.0, time
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), ""


def spans_digest(spans: Iterable[SpanKey]) -> str:
    """SHA-256 of the sorted, distinct spans."""
    return hashlib.sha256(json.dumps(sorted(set(spans))).encode()).hexdigest()


def fingerprint(gold: Sequence[GoldText], label_set_digest: str) -> str:
    """What a training set is, without times: equal content gives an equal fingerprint.

    Args:
        gold: The gold outside the held-out arm, in any order.
        label_set_digest: Digest of the label set asked for.

    Returns:
        SHA-256 in hex.
    """
    lines = sorted(f"{g.task_ref} {g.text_digest} {spans_digest(g.spans)}" for g in gold)
    return hashlib.sha256("\n".join([*lines, label_set_digest]).encode()).hexdigest()


def new_shots(before: Mapping[int, Sequence[SpanKey]], now: Mapping[int, Sequence[SpanKey]]) -> int:
    """How much was learnt since a snapshot, as a set difference.

    Sum over tasks of max(spans added, spans removed), and 1 for a task newly confirmed empty.

    Args:
        before: Spans by task in the snapshot of the last run; empty at first.
        now: Spans by task now.
    """
    total = 0
    for task in before.keys() | now.keys():
        old, new = set(before.get(task, ())), set(now.get(task, ()))
        if task in now and task not in before and not new:
            total += 1
        else:
            total += max(len(new - old), len(old - new))
    return total
