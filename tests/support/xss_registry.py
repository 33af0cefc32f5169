"""A registry whose titles, labels, texts and notes are all attempts to run a script."""

from __future__ import annotations

from datetime import datetime

from admin_registry import FIRST, Seeded, Wording, register, seed
from model.registry import projects
from model.registry.base import utc_now
from model.registry.session import Database
from model.registry.tables_admin import RunLine
from model.registry.tables_versions import AliasChange, TrainingRun
from model.spans import AnnotatedText, Span
from xss_payloads import payloads

TITLED = 100
"""Number in Label Studio of the first project that is there for its title only."""


def hostile_texts(bad: list[str]) -> list[AnnotatedText]:
    """Texts each of which is a payload around an entity that is one, under a label that is one."""
    found = []
    for number in range(len(bad) * 2):
        label, entity = bad[number % len(bad)], bad[(number * 7 + 3) % len(bad)]
        text = f"{entity} met {bad[(number * 3 + 1) % len(bad)]} and {number}"
        spans = (Span(0, len(entity), label), Span(len(entity) + 1, len(entity) + 4, bad[0]))
        found.append(AnnotatedText(text, spans))
    return found


def seed_hostile(database: Database, *, now: datetime | None = None) -> Seeded:
    """The seeded registry with a payload wherever people or texts can put words."""
    bad, moment = payloads(), now or utc_now()
    words = Wording(
        title=bad[0],
        texts=hostile_texts(bad),
        note=lambda number: bad[number % len(bad)],
        actor=bad[1],
    )
    seeded = seed(database, words, now=moment)
    with database.begin() as session:
        first = projects.by_label_studio(session, FIRST)
        first.connection_error, first.config_error = bad[2], bad[3]
        first.pointer_seen = bad[4]
        for number, payload in enumerate(bad):
            session.add(_note(first.id, number, payload))
            session.add(RunLine(run_id=seeded.running, attempt=1, words=payload, at=moment))
            register(session, TITLED + number, payload, ("PER", "LOC"))
        run = session.get_one(TrainingRun, seeded.running)
        run.reason = bad[5]
        session.add(_failed(first.id, bad[6]))
    return seeded


def _note(project_id: int, number: int, payload: str) -> AliasChange:
    refused = number % 2 == 1
    return AliasChange(
        project_id=project_id,
        alias="served",
        from_version=4,
        to_version=5,
        actor=payload[:200],
        reason=payload,
        outcome="refused" if refused else "promoted",
        refusal=payload if refused else None,
        revision=0,
    )


def _failed(project_id: int, payload: str) -> TrainingRun:
    return TrainingRun(
        project_id=project_id,
        method="cllmfs",
        state="failed",
        reason=payload,
        failure_kind="bug",
        failure_reason=payload,
        ended_at=utc_now(),
    )


def hostile_paths(project: int) -> list[str]:
    """Every kind of page of a project, and a page of each project with a hostile title."""
    own = f"/admin/projects/{project}"
    names = ("", "/compare", "/shadow", "/runs", "/runs/7", "/audit", "/audit?page=2")
    pairs = [f"{own}/compare?first={first}&second={first + 1}" for first in range(4)]
    each = [f"{own}/versions/{number}" for number in range(6)]
    titled = [f"/admin/projects/{TITLED + number}/audit" for number in range(len(payloads()))]
    return ["/admin", *(own + name for name in names), *pairs, *each, *titled]
