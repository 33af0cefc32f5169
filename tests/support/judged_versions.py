"""Versions published with a verdict: how many of so many held-out texts each side gets right."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.registry import aliases, judging, runs, versions
from model.registry.evaluations import Answer, Scores
from model.registry.judging import Judged, Trial
from model.registry.session import Database, Session
from model.registry.tables import Project
from model.registry.tables_versions import AdapterVersion
from model.spans import Span
from registry_runs import annotate, asked, publication, taken

GOLD = (Span(0, 3, "PER"),)


@dataclass(frozen=True)
class Sides:
    """Of so many texts the first ones are right: for the candidate, and for what is served."""

    documents: int
    candidate: int
    served: int


BETTER, WORSE = Sides(30, 30, 0), Sides(30, 0, 30)
UNSURE = Sides(30, 21, 20)
TOO_FEW = Sides(20, 20, 0)


def scores(documents: int, right: int) -> Scores:
    """One span per text; found in the first ``right`` ones, nothing said of the others."""
    answers = tuple(Answer(f"{n:064}", GOLD, GOLD if n < right else ()) for n in range(documents))
    rows = tuple((n, len(a.said), len(a.said), 1) for n, a in enumerate(answers))
    return Scores(f"{documents:064}", rows, answers)


def trial(session: Session, project: Project, sides: Sides) -> Trial:
    """Both sides' answers."""
    return Trial(
        aliases.served(session, project.id),
        scores(sides.documents, sides.candidate),
        scores(sides.documents, sides.served),
    )


def judged(session: Session, project: Project, run_id: int, tried: Trial) -> Judged:
    """What the gate says of a run's adapter."""
    standing = judging.standing_of(
        session,
        project.id,
        "cllmfs",
        tried.served,
        snapshot_id=runs.snapshot_of(session, run_id),
    )
    found = judging.judged(tried, standing, "c" * 64)
    assert found is not None
    return found


def begun(database: Database, project: Project, number: int) -> runs.Claim:
    """A claimed run on new annotations."""
    annotate(database, project, 100 * number)
    return taken(database, asked(database, project))


def published(
    database: Database, project: Project, number: int, sides: Sides | Trial
) -> AdapterVersion:
    """Version ``number`` with the verdict that follows from these answers."""
    claim = begun(database, project, number)
    with database.read() as session:
        tried = sides if isinstance(sides, Trial) else trial(session, project, sides)
        found = judged(session, project, claim.run_id, tried)
    made = replace(publication("cdef0123456789"[number]), scores=tried.candidate, judged=found)
    if tried.rival is not None:
        made = replace(made, served_scores=(tried.served.version_id, tried.rival))
    with database.begin() as session:
        version = versions.publish(session, claim, made)
    assert version is not None
    assert version.number == number
    return version
