"""A registry with a life behind it: versions, verdicts, runs, shadow scores and an audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import event, select

from admin_answers import digest_of
from admin_judged import Document
from admin_versions import Step, publish_all
from backend.demo.texts import demo_gold
from model.loop.arms import ACTIVE, HELD_OUT, RANDOM
from model.registry import projects
from model.registry.base import utc_now
from model.registry.projects import BaseAdapter, NewProject
from model.registry.session import Database, Session
from model.registry.tables import (
    AnnotationHead,
    AnnotationRevision,
    Project,
    StoredText,
    Task,
)
from model.registry.tables_admin import RunLine
from model.registry.tables_versions import AdapterVersion, TrainingRun
from model.spans import AnnotatedText, Label, LabelSet, text_digest

FIRST, SECOND, THIRD = 1, 2, 3
"""Numbers of the three projects in Label Studio."""

TEXTS = 170
ARMS = (HELD_OUT, ACTIVE, ACTIVE, HELD_OUT, RANDOM, ACTIVE, HELD_OUT, ACTIVE, ACTIVE, RANDOM)


def _note(number: int) -> str:
    return (
        "clearly better on place names",
        "first version, a look at it",
        "too many plants taken for pests since Tuesday",
        "kept for the paper",
    )[number % 4]


@dataclass(frozen=True)
class Wording:
    """Everything that people or texts put into the registry.

    Attributes:
        title: The first project's title.
        texts: Annotated texts, some 100 or more; their labels are the label set.
        note: The reason somebody gives, by number.
    """

    title: str = "Plant help line"
    texts: Sequence[AnnotatedText] = field(default_factory=demo_gold)
    note: Callable[[int], str] = _note
    actor: str = "Ada"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the texts, by name."""
        return tuple(sorted({span.label for item in self.texts for span in item.spans}))


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was laid down: rows of the three projects, and the first one's numbers.

    Attributes:
        projects: Row ids by Label Studio's number.
        served: Number of the version served in the first project.
        candidate: Number of its candidate, which the gate says PROMOTE of.
        previous: Number served before.
        running: Its running run.
    """

    projects: dict[int, int]
    served: int
    candidate: int
    previous: int
    running: int


def seed(
    database: Database, wording: Wording | None = None, *, now: datetime | None = None
) -> Seeded:
    """Lay down three projects: one in full swing, one in trouble, one just connected."""
    words, moment = wording or Wording(), now or utc_now()
    with database.begin() as session:
        first = register(session, FIRST, words.title, words.labels)
        documents = _annotate(session, first, words.texts[:TEXTS], moment)
        history = publish_all(session, first, documents, words, moment, VERSIONS)
        running = _running(session, first, moment)
        first.connected, first.pass_no = True, 412
        first.pointer_seen = first.pointer_wanted = f"{FIRST}.{history.served}"
        second = _in_trouble(session, words, moment)
        third = register(session, THIRD, "Just connected", words.labels)
        third.connected = True
        ids = {FIRST: first.id, SECOND: second.id, THIRD: third.id}
    return Seeded(ids, history.served, history.candidate, history.previous, running)


VERSIONS = (
    # quality, training texts, held-out documents, what happened then
    Step(0.42, 0, 0, ""),
    Step(0.56, 12, 18, "promoted"),
    Step(0.72, 24, 30, "promoted"),
    Step(0.52, 36, 36, "rejected"),
    Step(0.73, 48, 42, "promoted"),
    Step(0.83, 60, 48, "candidate"),
)
FEW = (Step(0.4, 0, 0, ""), Step(0.6, 8, 9, "candidate"))


def register(session: Session, ls_id: int, title: str, labels: Sequence[str]) -> Project:
    """A new project with version 0, both 41 days old."""
    adapter = BaseAdapter(
        "cllmfs", "tiny", "b" * 64, digest_of("base", ls_id), {"rank": 16, "alpha": 32}
    )
    label_set = LabelSet(tuple(Label(name, name.lower()) for name in labels))
    new = NewProject(
        uid=f"{ls_id}.1700000000",
        url="http://127.0.0.1:8080",
        ls_id=ls_id,
        title=title,
        label_config="<View/>",
        label_set=label_set,
        held_out_share=0.3,
        base_adapter=adapter,
    )
    began = utc_now() - timedelta(days=41)
    with _dated(began):
        return projects.register(session, new)


@contextmanager
def _dated(began: datetime) -> Iterator[None]:
    """Let version 0 be as old as its project; afterwards no version can be changed."""

    def date(mapper: object, connection: object, version: AdapterVersion) -> None:
        version.created_at = began

    event.listen(AdapterVersion, "before_insert", date)
    try:
        yield
    finally:
        event.remove(AdapterVersion, "before_insert", date)


def _annotate(
    session: Session, project: Project, texts: Sequence[AnnotatedText], now: datetime
) -> dict[str, list[Document]]:
    """Tasks with one annotation each, by arm, in the order they were annotated."""
    digests = [text_digest(item.text) for item in texts]
    stored = {digest: item.text for digest, item in zip(digests, texts, strict=True)}
    known = set(session.scalars(select(StoredText.digest)))
    session.add_all(
        StoredText(digest=digest, text=text)
        for digest, text in stored.items()
        if digest not in known
    )
    session.flush()
    tasks = [_task(project, number, digest, now) for number, digest in enumerate(digests)]
    session.add_all(tasks)
    session.flush()
    times = [now - timedelta(hours=3 * (len(texts) - number) + 2) for number in range(len(texts))]
    whole = zip(tasks, texts, times, strict=True)
    revisions = [_revision(project, task, item, at) for task, item, at in whole]
    session.add_all(revisions)
    session.flush()
    session.add_all(
        AnnotationHead(
            project_id=project.id,
            annotation_id=revision.annotation_id,
            task_ref=revision.task_ref,
            revision_id=revision.id,
        )
        for revision in revisions
    )
    session.flush()
    found: dict[str, list[Document]] = {HELD_OUT: [], ACTIVE: [], RANDOM: []}
    for task, item, revision in zip(tasks, texts, revisions, strict=True):
        found[task.arm].append(Document(task, item, revision))
    return found


def _task(project: Project, number: int, digest: str, now: datetime) -> Task:
    return Task(
        project_id=project.id,
        task_id=1000 * project.ls_id + number,
        ls_created_at=(now - timedelta(days=40)).isoformat(),
        arm=ARMS[number % len(ARMS)],
        text_digest=digest,
        annotated=True,
    )


def _revision(
    project: Project, task: Task, item: AnnotatedText, at: datetime
) -> AnnotationRevision:
    return AnnotationRevision(
        project_id=project.id,
        annotation_id=5000 * project.ls_id + task.task_id % 1000,
        task_ref=task.id,
        updated_at=at.isoformat(),
        content_digest=digest_of(item.spans),
        kind="gold",
        spans=[[span.start, span.end, span.label] for span in item.spans],
        first_seen=at,
    )


def _running(session: Session, project: Project, now: datetime) -> int:
    began = now - timedelta(minutes=4)
    run = TrainingRun(
        project_id=project.id,
        method=project.method,
        state="running",
        reason="6 new shots since version 5",
        attempt=1,
        fence=1,
        beat=16,
        step=34,
        steps=60,
        loss=0.695,
        requested_at=began - timedelta(seconds=20),
        started_at=began,
    )
    failed = TrainingRun(
        project_id=project.id,
        method=project.method,
        state="failed",
        reason="asked for by a person",
        attempt=2,
        step=3,
        steps=60,
        failure_kind="memory",
        failure_reason="out of memory at step 3, also with half the batch",
        requested_at=began - timedelta(hours=2),
        started_at=began - timedelta(hours=2),
        ended_at=began - timedelta(hours=1, minutes=58),
    )
    session.add(failed)
    session.flush()
    session.add(run)
    session.flush()
    write_log(session, run, 34)
    return run.id


def write_log(session: Session, run: TrainingRun, steps: int) -> None:
    """Lines of a run as its worker writes them."""
    began = run.started_at or utc_now()
    words = RunLine(run_id=run.id, attempt=1, words="a worker took the run: 60 texts", at=began)
    session.add(words)
    for step in range(2, steps + 1, 2):
        loss = 0.35 + 2.1 / (1 + step / 6) + 0.06 * ((step * 7) % 5 - 2) / 2
        at = began + timedelta(seconds=6 * step)
        session.add(RunLine(run_id=run.id, attempt=1, step=step, loss=loss, at=at))
    session.flush()


def _in_trouble(session: Session, words: Wording, now: datetime) -> Project:
    project = register(session, SECOND, "Museum letters", words.labels)
    documents = _annotate(session, project, words.texts[:40], now)
    publish_all(session, project, documents, words, now, FEW)
    project.connected, project.dirty_seq = True, project.clean_seq + 3
    project.pointer_seen, project.pointer_wanted = "someone-elses-model", "2.0"
    project.connection_error = "Label Studio at http://127.0.0.1:8080 does not answer (timeout)."
    session.flush()
    return project
